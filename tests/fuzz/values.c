/*  values.c - libFuzzer: any bytes as a value that a task gets or returns. */
#include "client/values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cursor from = cursor_of(slice_of(data, size));
    rayc_value value;
    bool reference = false;
    while (cursor_left(&from) > 0 && value_read(&from, &value, &reference)) {
        bool raw = value.kind >= RAYC_STRING && value.kind <= RAYC_MAP;
        if (raw && value.as.raw.size > 0) {
            static volatile uint8_t sink;
            const uint8_t *bytes = value.as.raw.data;
            sink = bytes[0] ^ bytes[value.as.raw.size - 1]; /* so that a slice outside is seen */
            (void)sink;
        }
    }
    return 0;
}
