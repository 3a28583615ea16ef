/* Faults of known size, as plain functions that Python calls through ctypes.
 *
 * The calls to malloc below go through this library's own PLT, as those of any extension module do,
 * so memray and glibc's statistics see them. The `bundled_*` functions are an allocator of their
 * own on memory from a raw system call: neither sees it, as with an allocator that is linked into a
 * wheel.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Every page is written, or the kernel would never give it. */
static void *touched(void *block, size_t bytes) {
    if (block != NULL) memset(block, 0x5a, bytes);
    return block;
}

void *native_alloc(size_t bytes) { return touched(malloc(bytes), bytes); }

void native_free(void *block) { free(block); }

void *native_map(size_t bytes) {
    void *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return block == MAP_FAILED ? NULL : touched(block, bytes);
}

void native_unmap(void *block, size_t bytes) { munmap(block, bytes); }

/* Allocate `count` blocks and give all of them back but, the first time, the one with the highest
 * address: the heap's top cannot move, so the kernel gets nothing back before malloc_trim. Returns 0
 * on failure. */
int burst_under_pin(size_t count, size_t bytes) {
    static int pinned = 0;
    void **blocks = malloc(count * sizeof *blocks);
    if (blocks == NULL) return 0;
    size_t top = 0;
    for (size_t i = 0; i < count; i++) {
        blocks[i] = native_alloc(bytes);
        if (blocks[i] == NULL) return 0;
        if (blocks[i] > blocks[top]) top = i;
    }
    for (size_t i = 0; i < count; i++) {
        if (pinned || i != top) free(blocks[i]);
    }
    pinned = 1;
    free(blocks);
    return 1;
}

/* Once: blocks of nearly a page, each cut down to its first 24 bytes, where it lies. What is cut off
 * is free, but no page of it is free as a whole. Returns 0 on failure. */
int fragment(size_t count) {
    static int done = 0;
    if (done) return 1;
    void **blocks = malloc(count * sizeof *blocks);
    if (blocks == NULL) return 0;
    for (size_t i = 0; i < count; i++) {
        blocks[i] = native_alloc(4064);
        if (blocks[i] == NULL) return 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (realloc(blocks[i], 24) == NULL) return 0;
    }
    free(blocks);
    done = 1;
    return 1;
}

/* The bundled allocator: size classes of 64 bytes up to 64 KiB, larger blocks rounded to 64 KiB
 * and never split, chunks of 4 MiB from the kernel, none of them ever returned. */
enum { STEP = 64, SMALL = 64 * 1024, CHUNK = 4 << 20 };

typedef struct header {
    size_t bytes;
    struct header *next;
} header;

static header *free_small[SMALL / STEP + 1];
static header *free_large;
static char *cursor, *limit;
static size_t live_bytes;

static size_t rounded(size_t bytes) {
    size_t unit = bytes <= SMALL ? STEP : SMALL;
    return (bytes + unit - 1) / unit * unit;
}

static header *fresh(size_t bytes) {
    size_t need = bytes + sizeof(header);
    if (cursor == NULL || (size_t)(limit - cursor) < need) {
        size_t chunk = need > CHUNK ? (need + 4095) & ~(size_t)4095 : CHUNK;
        void *block = (void *)syscall(SYS_mmap, NULL, chunk, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED) return NULL;
        cursor = block;
        limit = cursor + chunk;
    }
    header *made = (header *)cursor;
    cursor += need;
    made->bytes = bytes;
    return made;
}

void *bundled_alloc(size_t bytes) {
    size_t size = rounded(bytes == 0 ? 1 : bytes);
    header **place = size <= SMALL ? &free_small[size / STEP] : &free_large;
    while (*place != NULL && (*place)->bytes != size) place = &(*place)->next;
    header *found = *place;
    if (found != NULL) *place = found->next;
    else found = fresh(size);
    if (found == NULL) return NULL;
    live_bytes += size;
    return touched(found + 1, bytes);
}

void bundled_free(void *block) {
    if (block == NULL) return;
    header *gone = (header *)block - 1;
    header **place = gone->bytes <= SMALL ? &free_small[gone->bytes / STEP] : &free_large;
    gone->next = *place;
    *place = gone;
    live_bytes -= gone->bytes;
}

size_t bundled_live_bytes(void) { return live_bytes; }
