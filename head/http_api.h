/*  http_api.h - handlers of /api/v1: rayc's own JSON, the same as `-o json` prints.  Lists are the views of views.def. */
#ifndef RAYC_HTTP_API_H
#define RAYC_HTTP_API_H
#include "head/http.h"

/*  Query parameters of every list. */
#define API_LIST "job filter sort limit cursor reverse total"

web_handler api_list;     /* of the view that the route's path ends with */
web_handler api_children; /* likewise, of the {id} before it */
web_handler api_one;      /* one of the view that comes before {id}; its name without the s */
web_handler api_whoami;
web_handler api_link; /* a WebSocket: the protocol */
web_handler http_live, http_ready;
web_handler api_job_logs, api_task_logs, api_task_explain, api_object;

web_handler api_submit, api_job_stop, api_job_delete, api_job_retry;
web_handler api_task_cancel, api_task_retry, api_actor_kill;
web_handler api_node_drain, api_node_undrain;
web_handler api_user_make, api_user_change, api_token_make, api_token_end;
#endif
