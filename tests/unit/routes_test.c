/*  routes_test.c - docs/api.md tells of every route that the head has, and of no other. */
#include "common/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

static const char *const routes[] = {
#define ROUTE(method, path, roles, query, body, handler, doc)       "`" #method " " path "`",
#define UPLOAD(method, path, roles, body, handler, take, drop, doc) "`" #method " " path "`",
#include "head/routes.def"
#undef ROUTE
#undef UPLOAD
};

static char page[256 * 1024];

static int setup(void **state)
{
    (void)state;
    FILE *file = fopen(PEER_FILES "/../../docs/api.md", "rbe");
    assert_non_null(file);
    size_t n = fread(page, 1, sizeof(page) - 1, file);
    fclose(file);
    return n > 0 && n < sizeof(page) - 1 ? 0 : -1;
}

static void each_route_is_told(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(routes); i++) {
        if (strstr(page, routes[i]) == NULL) {
            fail_msg("docs/api.md does not tell of %s", routes[i]);
        }
    }
}

static bool known(const char *row, size_t n)
{
    for (size_t i = 0; i < COUNT(routes); i++) {
        if (strlen(routes[i]) == n && memcmp(routes[i], row, n) == 0) {
            return true;
        }
    }
    return false;
}

static void nothing_else_is_told(void **state)
{
    (void)state;
    size_t rows = 0;
    for (const char *at = page; (at = strstr(at, "\n| `")) != NULL; at++) {
        const char *row = at + 3;
        size_t n = strcspn(row + 1, "`\n") + 2;
        bool path = memchr(row, '/', n) != NULL;
        if (path && !known(row, n)) {
            fail_msg("docs/api.md tells of %.*s, which is no route", (int)n, row);
        }
        rows += path;
    }
    assert_int_equal(rows, COUNT(routes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_route_is_told),
        cmocka_unit_test(nothing_else_is_told),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
