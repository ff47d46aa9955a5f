/*  http_metrics.c - the page becomes a reply. */
#include "head/http_metrics.h"

#include "head/http.h"

void http_metrics(struct web_request *request, struct web_reply *reply)
{
    struct exposition page;
    int code = http_metrics_page(request, &page);
    if (code != OK) {
        web_reply_error(reply, code, "the head cannot tell its numbers now: %s", err_text(code));
        return;
    }
    web_reply_own(reply, 200, exposition_content_type(&page), page.p, page.n);
}
