/* WeCom's `wx` object as its documents have it (docs 90506, 94313, 91782, 96935, 96997, 96922): nothing acts before
 * `config`, and nothing of the app before `agentConfig`, whose signatures our sandbox checks; who turns back is told
 * `cancel`. Put into a page before its own scripts (`add_init_script`), after setting what the tests choose:
 *
 *   window.wxWorld = {
 *     sandbox: "http://…/sandbox",   where signatures are checked
 *     corp: "ww-test",
 *     entry: "single_chat_tools",    how the page was opened (`getContext`); "normal" outside of a chat
 *     contact: "wm-1", chat: "",     who, or which group, the chat is with
 *     answers: {sendChatMessage: "cancel"},   what calls come to instead of "ok"
 *   }
 *
 * What was done stands in `window.wxDone`: [name, arguments] of each call that came to "ok".
 */
(() => {
  "use strict";
  const world = { entry: "normal", contact: "", chat: "", answers: {}, ...window.wxWorld };
  const done = (window.wxDone = []);
  const OF_CHATS = { single_chat_tools: "contact", group_chat_tools: "chat", contact_profile: "contact", single_chat: "contact" };
  const APP = ["getContext", "getCurExternalContact", "getCurExternalChat", "sendChatMessage", "shareToExternalContact",
    "shareToExternalChat", "openEnterpriseChat", "navigateToAddCustomer"];
  let config = null;
  let agent = null;
  let onReady = [];
  let onError = () => {};

  const check = async (given) => {
    const answer = await fetch(`${world.sandbox}/control/page?corp=${world.corp}`, {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ ...given, url: location.href.split("#")[0] }),
    });
    return (await answer.json()).errMsg;
  };

  const problem = (name, given) => {
    const text = given.text || {};
    const fits = (given.attachments || []).every((one) => one.msgtype && one[one.msgtype]);
    switch (name) {
      case "getCurExternalContact":
      case "getCurExternalChat": {
        const wanted = name === "getCurExternalContact" ? "contact" : "chat";
        return OF_CHATS[world.entry] === wanted ? "" : `fail without context of external ${wanted}`;
      }
      case "sendChatMessage":
        if (!OF_CHATS[world.entry]) return "fail without context of external contact";
        if (!given.msgtype || !given[given.msgtype]) return "fail invalid msgtype";
        if (given.msgtype === "text" && !text.content) return "fail invalid text content";
        return "";
      case "shareToExternalContact":
      case "shareToExternalChat": {
        const chosen = given[name === "shareToExternalContact" ? "externalUserIds" : "chatIds"];
        if (chosen !== undefined && !Array.isArray(chosen)) return "fail invalid parameter";
        if (!text.content && !(given.attachments || []).length && !given.link) return "fail invalid parameter";
        if ((text.content || "").length > 4000) return "fail invalid text size";
        if ((given.attachments || []).length > 9 || !fits) return "fail invalid attachments";
        return "";
      }
      case "openEnterpriseChat":
        return given.userIds || given.externalUserIds ? "" : "fail invalid userIds";
      default:
        return "";
    }
  };

  const told = (name) => {
    if (name === "getContext") return { entry: world.entry };
    if (name === "getCurExternalContact") return { userId: world.contact };
    if (name === "getCurExternalChat") return { chatId: world.chat };
    return {};
  };

  window.wx = {
    config(given) {
      check({ appId: given.appId, timestamp: given.timestamp, nonceStr: given.nonceStr, signature: given.signature }).then((said) => {
        if (said !== "config:ok") return onError({ errMsg: said });
        config = given;
        onReady.forEach((each) => each());
        onReady = [];
      });
    },
    ready(each) { if (config) each(); else onReady.push(each); },
    error(each) { onError = each; },
    agentConfig(given) {
      const { corpid, agentid, timestamp, nonceStr, signature } = given;
      if (!config) return given.fail({ errMsg: "agentConfig:fail, config first" });
      check({ corpid, agentid, timestamp, nonceStr, signature }).then((said) => {
        if (said !== "agentConfig:ok") return given.fail({ errMsg: said });
        agent = given;
        given.success({ errMsg: said });
      });
    },
    invoke(name, given, callback) {
      const say = (what, more) => setTimeout(() => callback({ err_msg: `${name}:${what}`, ...more }), 0);
      if (!APP.includes(name)) return say("fail function not exist");
      if (!agent || !agent.jsApiList.includes(name)) return say("fail no permission");
      const wrong = problem(name, given);
      if (wrong) return say(wrong);
      if (world.answers[name]) return say(world.answers[name]);
      done.push([name, given]);
      return say("ok", told(name));
    },
    closeWindow() { done.push(["closeWindow", {}]); },
  };
})();
