/*  web_upgrade.c - the handshake by which a request becomes a WebSocket. */
#include "common/web/web_inside.h"

#include <strings.h>

/*  Is it one of the words of a list with commas? */
static bool has_word(const char *list, const char *word)
{
    size_t n = strlen(word);
    while (list && *list) {
        list += strspn(list, " \t,");
        size_t have = strcspn(list, ", \t");
        if (have == n && strncasecmp(list, word, n) == 0) {
            return true;
        }
        list += have;
    }
    return false;
}

void web_reply_socket(struct web_request *request, struct web_reply *reply,
                      const struct web_socket_kind *kind, void *context)
{
    const char *key = web_header(request, "Sec-WebSocket-Key");
    const char *version = web_header(request, "Sec-WebSocket-Version");
    char accept[WEBSOCKET_ACCEPT_TEXT];
    bool asked = !request->head_only && has_word(web_header(request, "Upgrade"), "websocket") &&
                 has_word(web_header(request, "Connection"), "Upgrade");
    web_reply_clear(reply);
    if (!asked || !key || !websocket_key_valid(key) || !version || strcmp(version, "13") != 0) {
        kind->close(context);
        web_reply_error(reply, ERR_INVALID, "this path is a WebSocket (RFC 6455, version 13)");
        reply->status = 426;
        web_reply_header(reply, "Upgrade", "websocket");
        web_reply_header(reply, "Sec-WebSocket-Version", "13");
        return;
    }
    websocket_accept(key, accept);
    reply->status = 101;
    reply->socket = kind;
    reply->socket_context = context;
    web_reply_header(reply, "Upgrade", "websocket");
    web_reply_header(reply, "Sec-WebSocket-Accept", "%s", accept);
}
