/*  options.c - what a task may ask for. */
#include "client/options.h"

#include "client/failure.h"

const int rayc_any_error[1] = { 0 };

#define ONE_MAX    1e12 /* of anything: in 1/10000 it fits u64 and a double with room */
#define MEMORY_MAX (1ull << 60)

rayc_options rayc_defaults(void)
{
    return (rayc_options){
        .size = sizeof(rayc_options),
        .cpus = 1,
        .max_retries = 3,
        .backoff_ms = 100,
        .backoff_ms_max = 30000,
        .crash_limit = 10,
    };
}

int options_complete(rayc_options *out, const rayc_options *given)
{
    if (given != NULL && given->size == sizeof(*given)) {
        *out = *given;
        return RAYC_OK;
    }
    *out = rayc_defaults();
    if (given == NULL) {
        return RAYC_OK;
    }
    if (given->size <= offsetof(rayc_options, cpus)) {
        return failure_say(RAYC_EINVALID, "option size is %zu: start from rayc_defaults()",
                           given->size);
    }
    memcpy(out, given, given->size < sizeof(*out) ? given->size : sizeof(*out));
    out->size = sizeof(*out);
    return RAYC_OK;
}

static bool text_same(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool options_same(const rayc_options *a, const rayc_options *b)
{
    if (a->cpus != b->cpus || a->gpus != b->gpus || a->memory_bytes != b->memory_bytes ||
        a->max_retries != b->max_retries || a->priority != b->priority ||
        a->run_ms_max != b->run_ms_max || a->queue_ms_max != b->queue_ms_max ||
        a->backoff_ms != b->backoff_ms || a->backoff_ms_max != b->backoff_ms_max ||
        a->crash_limit != b->crash_limit || a->running_max != b->running_max ||
        a->returns != b->returns) {
        return false;
    }
    bool any = a->retry_codes == rayc_any_error;
    if (any != (b->retry_codes == rayc_any_error) ||
        (!any && a->retry_code_count != b->retry_code_count)) {
        return false;
    }
    if (!any && a->retry_code_count > 0 &&
        memcmp(a->retry_codes, b->retry_codes, a->retry_code_count * sizeof(int)) != 0) {
        return false;
    }
    return text_same(a->name, b->name) && text_same(a->strategy, b->strategy) &&
           text_same(a->resources, b->resources) && text_same(a->labels, b->labels);
}

/* --- demand ----------------------------------------------------------------------------------- */

/*  What is being put together: the list of amounts, and the names in it. */
struct demand {
    struct wire to;
    struct slice names[RESOURCES_MAX];
    uint32_t count;
};

static int add_amount(struct demand *self, struct slice name, uint64_t units)
{
    if (units == 0) {
        return RAYC_OK; /* as if it were not asked for */
    }
    if (self->count == RESOURCES_MAX) {
        return failure_say(RAYC_EINVALID, "option resources: more than %d different resources",
                           RESOURCES_MAX);
    }
    for (uint32_t i = 0; i < self->count; i++) {
        if (slice_same(self->names[i], name)) {
            return failure_say(RAYC_EINVALID, "option resources: '%.*s' is named twice",
                               (int)name.n, (const char *)name.p);
        }
    }
    self->names[self->count++] = name;
    struct rec_amount amount = { name, units };
    proto_put_record(&self->to, REC_AMOUNT, &amount);
    return RAYC_OK;
}

/*  A number of CPUs or GPUs in 1/10000. */
static int units_of(const char *option, double value, uint64_t *units)
{
    if (!(value >= 0 && value <= ONE_MAX)) { /* also when it is not a number */
        return failure_say(RAYC_EINVALID, "option %s is %g: it must be a number from 0 on", option,
                           value);
    }
    double scaled = value * (double)UNITS_PER_ONE;
    double whole = (double)(uint64_t)(scaled + 0.5);
    double rest = scaled > whole ? scaled - whole : whole - scaled;
    if (rest > 1e-6 * (whole > 1 ? whole : 1)) {
        return failure_say(RAYC_EINVALID, "option %s is %.10g: it goes in steps of 0.0001", option,
                           value);
    }
    *units = (uint64_t)whole;
    return RAYC_OK;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/*  "0.5" in 1/10000, whatever the locale.  False if it is no such number. */
static bool parse_units(struct slice text, uint64_t *units)
{
    size_t i = 0;
    *units = 0;
    while (i < text.n && is_digit((char)text.p[i]) && *units < (uint64_t)ONE_MAX) {
        *units = *units * 10 + (uint64_t)(text.p[i++] - '0');
    }
    bool digits = i > 0;
    *units *= UNITS_PER_ONE;
    if (i < text.n && text.p[i] == '.') {
        i++;
        for (uint64_t step = UNITS_PER_ONE / 10; i < text.n && is_digit((char)text.p[i]);
             step /= 10, i++) {
            if (step == 0 && text.p[i] != '0') {
                return false;
            }
            *units += step * (uint64_t)(text.p[i] - '0');
            digits = true;
        }
    }
    return digits && i == text.n;
}

static int add_resource(struct demand *self, struct slice item)
{
    const uint8_t *equals = item.n > 0 ? memchr(item.p, '=', item.n) : NULL;
    uint64_t units = 0;
    if (equals == NULL || equals == item.p || (size_t)(equals - item.p) > RESOURCE_NAME_MAX ||
        !parse_units(slice_of(equals + 1, item.n - 1 - (size_t)(equals - item.p)), &units)) {
        return failure_say(
            RAYC_EINVALID,
            "option resources: '%.*s' is not NAME=NUMBER (a number from 0 on, in steps of 0.0001)",
            (int)item.n, item.n > 0 ? (const char *)item.p : "");
    }
    struct slice name = slice_of(item.p, (size_t)(equals - item.p));
    if (slice_same(name, slice_text("CPU")) || slice_same(name, slice_text("GPU")) ||
        slice_same(name, slice_text("memory"))) {
        return failure_say(
            RAYC_EINVALID,
            "option resources: '%.*s' has an option of its own (cpus, gpus, memory_bytes)",
            (int)name.n, (const char *)name.p);
    }
    return add_amount(self, name, units);
}

static int add_resources(struct demand *self, const char *text)
{
    while (text != NULL && *text != 0) {
        size_t n = strcspn(text, ",");
        int rc = add_resource(self, slice_of(text, n));
        if (rc != RAYC_OK) {
            return rc;
        }
        text += n + (text[n] == ',');
    }
    return RAYC_OK;
}

static int draft_demand(struct spec_draft *out, const rayc_options *options)
{
    struct demand demand = { .to = { out->demand, 0, sizeof(out->demand), false } };
    uint64_t cpus = 0, gpus = 0;
    int rc = units_of("cpus", options->cpus, &cpus);
    if (rc == RAYC_OK) {
        rc = units_of("gpus", options->gpus, &gpus);
    }
    if (rc != RAYC_OK) {
        return rc;
    }
    if (gpus > UNITS_PER_ONE && gpus % UNITS_PER_ONE != 0) {
        return failure_say(RAYC_EINVALID, "option gpus is %g: over 1 it must be whole",
                           options->gpus);
    }
    if (options->memory_bytes > MEMORY_MAX) {
        return failure_say(RAYC_EINVALID, "option memory_bytes is %llu: 2^60 is the most",
                           (unsigned long long)options->memory_bytes);
    }
    (void)add_amount(&demand, slice_text("CPU"), cpus); /* the first ones: they fit */
    (void)add_amount(&demand, slice_text("GPU"), gpus);
    (void)add_amount(&demand, slice_text("memory"), options->memory_bytes);
    rc = add_resources(&demand, options->resources);
    ensure(!demand.to.full);
    out->record.demand = wire_list(&demand.to, demand.count);
    return rc;
}

/* --- retries and limits ----------------------------------------------------------------------- */

static int draft_retries(struct spec_draft *out, const rayc_options *options)
{
    if (options->max_retries < -1) {
        return failure_say(RAYC_EINVALID,
                           "option max_retries is %d: it must be -1 (without end) or more",
                           options->max_retries);
    }
    out->record.max_retries = options->max_retries;
    out->record.backoff_ms = options->backoff_ms;
    out->record.backoff_ms_max = options->backoff_ms_max;
    out->record.crash_limit = options->crash_limit;
    out->record.running_max = options->running_max;
    if (options->retry_codes == rayc_any_error) {
        out->record.retry_mode = RETRY_ANY;
        return RAYC_OK;
    }
    if (options->retry_code_count == 0) {
        out->record.retry_mode = RETRY_NONE;
        return RAYC_OK;
    }
    if (options->retry_codes == NULL || options->retry_code_count > RETRY_CODES_MAX) {
        return failure_say(RAYC_EINVALID, "option retry_code_count is %zu: retry_codes has %s",
                           options->retry_code_count,
                           options->retry_codes == NULL ? "none" : "room for 64");
    }
    struct wire codes = { out->codes, 0, sizeof(out->codes), false };
    for (size_t i = 0; i < options->retry_code_count; i++) {
        struct rec_code code = { options->retry_codes[i] };
        proto_put_record(&codes, REC_CODE, &code);
    }
    ensure(!codes.full);
    out->record.retry_mode = RETRY_CODES;
    out->record.retry_codes = wire_list(&codes, (uint32_t)options->retry_code_count);
    return RAYC_OK;
}

int options_draft(struct spec_draft *out, const rayc_options *options)
{
    out->record = (struct rec_spec){ 0 };
    int rc = draft_demand(out, options);
    if (rc == RAYC_OK) {
        rc = draft_retries(out, options);
    }
    if (rc != RAYC_OK) {
        return rc;
    }
    struct diag why = { 0 };
    struct strategy strategy;
    out->record.strategy = slice_text(options->strategy);
    out->record.labels = slice_text(options->labels);
    out->record.priority = options->priority;
    if (!strategy_read(out->record.strategy, &strategy, &why) ||
        !selector_check(out->record.labels, &why) || !priority_check(options->priority, &why)) {
        return failure_say(RAYC_EINVALID, "option %s", why.text);
    }
    if (options->returns > RETURNS_MAX) {
        return failure_say(RAYC_EINVALID, "option returns is %u: the limit is %d", options->returns,
                           RETURNS_MAX);
    }
    out->record.returns = options->returns;
    if (options->name != NULL && strlen(options->name) > NAME_MAX_BYTES) {
        return failure_say(RAYC_EINVALID, "option name has %zu bytes: the limit is %d",
                           strlen(options->name), NAME_MAX_BYTES);
    }
    out->record.title = slice_text(options->name);
    out->record.run_ms_max = options->run_ms_max;
    out->record.queue_ms_max = options->queue_ms_max;
    return RAYC_OK;
}
