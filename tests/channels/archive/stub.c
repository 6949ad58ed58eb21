/* A stand-in with the names and shapes of WeCom's header, so that our binding is tried against a real shared library. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct { char *buf; int len; } Slice_t;
typedef struct { char *index; int index_len; char *data; int len; int finish; } MediaData_t;

static int live = 0;

void *NewSdk(void) { return malloc(64); }
void DestroySdk(void *sdk) { free(sdk); }
int Init(void *sdk, const char *corp, const char *secret) {
    snprintf(sdk, 64, "%s", corp);
    return strcmp(secret, "archive-secret") ? 10001 : 0;
}
void *NewSlice(void) { live++; return calloc(1, sizeof(Slice_t)); }
void FreeSlice(Slice_t *s) { live--; free(s->buf); free(s); }
char *GetContentFromSlice(Slice_t *s) { return s->buf; }
int GetSliceLen(Slice_t *s) { return s->len; }
int Live(void) { return live; }

static void fill(Slice_t *s, const char *text, int len) {
    s->buf = malloc(len + 1);
    memcpy(s->buf, text, len);
    s->len = len;
}
int GetChatData(void *sdk, unsigned long long seq, unsigned int limit, const char *proxy, const char *passwd,
                int timeout, Slice_t *out) {
    char text[256];
    if (limit > 1000) return 10002;
    int n = snprintf(text, sizeof text, "{\"corp\":\"%s\",\"seq\":%llu,\"limit\":%u,\"proxy\":\"%s\",\"timeout\":%d}",
                     (char *)sdk, seq, limit, proxy, timeout);
    fill(out, text, n);
    return 0;
}
int DecryptData(const char *key, const char *message, Slice_t *out) {
    char text[256];
    if (!strcmp(key, "wrong")) return 10003;
    fill(out, text, snprintf(text, sizeof text, "%s:%s", key, message));
    return 0;
}
void *NewMediaData(void) { live++; return calloc(1, sizeof(MediaData_t)); }
void FreeMediaData(MediaData_t *m) { live--; free(m->index); free(m->data); free(m); }
char *GetOutIndexBuf(MediaData_t *m) { return m->index; }
int GetIndexLen(MediaData_t *m) { return m->index_len; }
char *GetData(MediaData_t *m) { return m->data; }
int GetDataLen(MediaData_t *m) { return m->len; }
int IsMediaDataFinish(MediaData_t *m) { return m->finish; }
int GetMediaData(void *sdk, const char *index, const char *file, const char *proxy, const char *passwd, int timeout,
                 MediaData_t *out) {
    static const char whole[] = "abc\0def";
    int at = atoi(index);
    if (strcmp(file, "f1")) return 301048;
    out->len = at ? 3 : 4;
    out->data = malloc(out->len);
    memcpy(out->data, whole + at, out->len);
    out->index = malloc(16);
    out->index_len = snprintf(out->index, 16, "%d", at + out->len);
    out->finish = at + out->len == 7;
    return 0;
}
