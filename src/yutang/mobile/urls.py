"""The addresses of the phone, all below `/m/`."""

from __future__ import annotations

from collections.abc import Callable

from django.urls import URLPattern, path

from yutang.mobile import entering, first, lists, manager, sidebar, signing, undone
from yutang.mobile.speaking import Speaking, speak_by


def pages(here: Callable[[], Speaking]) -> list[URLPattern]:
    """The phone's pages, which speak to WeCom by these channels."""
    speak_by(here)
    return [
        path("", first.first, name="phone"),
        path("in/", entering.ways_in, name="phone_in"),
        path("in/wecom/", entering.by_wecom, name="phone_by_wecom"),
        path("in/back/", entering.back_from_wecom, name="phone_back"),
        path("in/<str:secret>/", entering.by_link, name="phone_link"),
        path("today/ask/", first.ask_card, name="phone_card_ask"),
        path("today/note/", first.note_card, name="phone_card"),
        path("follow-ups/note/", first.note_follow_up, name="phone_follow_up"),
        path("tasks/why-not/", undone.note_reason, name="phone_reason"),
        path("lists/<int:number>/", lists.one_list, name="phone_list"),
        path("lists/<int:number>/note/", lists.note, name="phone_list_note"),
        path("lists/<int:number>/in/", lists.hand_in, name="phone_list_in"),
        path("file/<slug:digest>/", lists.file, name="phone_file"),
        path("chat/", sidebar.chat, name="phone_chat"),
        path("chat/person/", sidebar.chat_person, name="phone_chat_person"),
        path("chat/again/", sidebar.chat_again, name="phone_chat_again"),
        path("person/<int:number>/", sidebar.person, name="phone_person"),
        path("person/<int:number>/ask/", sidebar.ask, name="phone_person_ask"),
        path("person/<int:number>/sent/", sidebar.sent, name="phone_person_sent"),
        path("person/<int:number>/note/", sidebar.note, name="phone_person_note"),
        path("store/", manager.store, name="phone_store"),
        path("store/chase/", manager.ask_after, name="phone_chase"),
        path("out/", entering.out, name="phone_out"),
        path("sign/", signing.sign, name="phone_sign"),
        path("sw.js", signing.worker, name="phone_worker"),
    ]
