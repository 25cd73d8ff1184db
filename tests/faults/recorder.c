/* Stands between a process and its disk: records what the process asks of the files below a folder, in order, and can
 * make a call fail. Loaded with LD_PRELOAD; `record` and `fail` are called through ctypes.
 *
 * A record of the log: operation (1 byte), descriptor or mapping (4), offset or size (8), length (4), bytes.
 *   O open  C close  W write  T truncate or allocate: the file has this size  S sync  R rename  U unlink
 *   P a shared mapping of a descriptor begins  M a sector of a mapping changed
 * A store into a mapping is no call. So each mapping is compared with what it was, sector by sector, before every call
 * that is recorded: what an `M` says was in the page cache at that moment, and reaches the disk when the kernel likes.
 * msync is not looked at, since nothing here calls it: a sync that is not seen only makes the judge stricter. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FDS = 4096, MAPS = 256, SECTOR = 512 };
enum { OPEN = 1, WRITE = 2, SYNC = 4, TRUNCATE = 8, ALLOCATE = 16, RENAME = 32, UNLINK = 64, MAP = 128 };
static struct { char *at, *was; size_t size; int number; } maps[MAPS];
static char *paths[FDS], *root;
static int out = -1, next_map;
static struct { int calls, first, count, error, seen, hits; const char *part; } fault;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
#define REAL(name) static __typeof__(&name) real; if (!real) real = dlsym(RTLD_NEXT, #name)

static ssize_t real_write(int fd, const void *data, size_t size) { REAL(write); return real(fd, data, size); }

static void put(char op, int32_t fd, uint64_t offset, const void *data, uint32_t size)
{
    char head[17];
    if (out < 0) return;
    head[0] = op, memcpy(head + 1, &fd, 4), memcpy(head + 5, &offset, 8), memcpy(head + 13, &size, 4);
    if (real_write(out, head, 17) != 17 || (size && real_write(out, data, size) != (ssize_t)size)) abort();
}

static void look_at_mappings(void)
{
    if (out < 0) return;
    for (int i = 0; i < MAPS; i++)
        for (size_t at = 0; maps[i].at && at < maps[i].size; at += SECTOR) {
            size_t size = maps[i].size - at < SECTOR ? maps[i].size - at : SECTOR;
            if (memcmp(maps[i].at + at, maps[i].was + at, size) == 0) continue;
            memcpy(maps[i].was + at, maps[i].at + at, size);
            put('M', maps[i].number, at, maps[i].was + at, size);
        }
}

static int below_root(const char *path) { return root && path && strncmp(path, root, strlen(root)) == 0; }
static int volatile_file(const char *path) { size_t n = strlen(path); return n > 4 && !strcmp(path + n - 4, "-shm"); }
static char *path_of(int fd) { return fd >= 0 && fd < FDS ? paths[fd] : NULL; }
static int recorded(int fd) { return path_of(fd) && !volatile_file(paths[fd]); }

static int halves(void) { return fault.error == 0 || (fault.error < 0 && fault.hits == 1); }

static int fails(int call, const char *path)
{
    if (!path || !(fault.calls & call) || (fault.part && !strstr(path, fault.part))) return 0;
    fault.seen++;
    if (fault.seen <= fault.first || fault.seen > fault.first + fault.count) return 0;
    fault.hits++;
    errno = abs(fault.error);
    return 1;
}

/* Begin: files below `folder` from now on; log may be NULL, then calls can only be made to fail. */
void record(const char *folder, const char *log)
{
    static int (*real)(const char *, int, ...);
    real = dlsym(RTLD_NEXT, "open");
    root = strdup(folder);
    out = log ? real(log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600) : -1;
}

/* Of the calls in the mask on paths that hold `part`, let `count` fail after the first `first`. Error 0: half a write,
 * a sync that does nothing. Below 0: half a write, and from then on the error of that number. */
void fail(int calls, const char *part, int first, int count, int error)
{
    pthread_mutex_lock(&lock);
    fault.calls = calls, fault.part = part ? strdup(part) : NULL, fault.first = first, fault.count = count;
    fault.error = error, fault.seen = fault.hits = 0;
    pthread_mutex_unlock(&lock);
}
int seen(void) { return fault.seen; }
int hits(void) { return fault.hits; }

#define ENTER pthread_mutex_lock(&lock); look_at_mappings()
#define LEAVE(result) do { int kept = errno; pthread_mutex_unlock(&lock); errno = kept; return result; } while (0)

#define OPENING(name) \
int name(const char *path, int flags, ...) \
{ \
    REAL(name); \
    va_list more; va_start(more, flags); int mode = va_arg(more, int); va_end(more); \
    if (!below_root(path)) return real(path, flags, mode); \
    ENTER; \
    int fd = (flags & O_CREAT) && fails(OPEN, path) ? -1 : real(path, flags, mode); \
    if (fd >= 0 && fd < FDS) { \
        free(paths[fd]), paths[fd] = strdup(path); \
        if (recorded(fd)) put('O', fd, flags & O_TRUNC ? 1 : 0, path, strlen(path)); \
    } \
    LEAVE(fd); \
}
OPENING(open)
OPENING(open64)

int close(int fd)
{
    REAL(close);
    if (!path_of(fd)) return real(fd);
    ENTER;
    if (recorded(fd)) put('C', fd, 0, NULL, 0);
    free(paths[fd]), paths[fd] = NULL;
    int result = real(fd);
    LEAVE(result);
}

ssize_t write(int fd, const void *data, size_t size)
{
    if (!path_of(fd)) return real_write(fd, data, size);
    ENTER;
    int failed = fails(WRITE, paths[fd]);
    off_t at = fcntl(fd, F_GETFL) & O_APPEND ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
    ssize_t done = failed && !halves() ? -1 : real_write(fd, data, failed ? size / 2 : size);
    if (done > 0 && recorded(fd)) put('W', fd, at, data, done);
    LEAVE(done);
}

#define WRITING_AT(name, offset) \
ssize_t name(int fd, const void *data, size_t size, offset at) \
{ \
    REAL(name); \
    if (!path_of(fd)) return real(fd, data, size, at); \
    ENTER; \
    int failed = fails(WRITE, paths[fd]); \
    ssize_t done = failed && !halves() ? -1 : real(fd, data, failed ? size / 2 : size, at); \
    if (done > 0 && recorded(fd)) put('W', fd, at, data, done); \
    LEAVE(done); \
}
WRITING_AT(pwrite, off_t)
WRITING_AT(pwrite64, off64_t)

#define SYNCING(name) \
int name(int fd) \
{ \
    REAL(name); \
    if (!path_of(fd)) return real(fd); \
    ENTER; \
    int result = fails(SYNC, paths[fd]) ? -(fault.error != 0) : real(fd); \
    if (result == 0 && recorded(fd)) put('S', fd, 0, NULL, 0); \
    LEAVE(result); \
}
SYNCING(fsync)
SYNCING(fdatasync)

#define TRUNCATING(name, offset) \
int name(int fd, offset size) \
{ \
    REAL(name); \
    if (!path_of(fd)) return real(fd, size); \
    ENTER; \
    int result = fails(TRUNCATE, paths[fd]) ? -1 : real(fd, size); \
    if (result == 0 && recorded(fd)) put('T', fd, size, NULL, 0); \
    LEAVE(result); \
}
TRUNCATING(ftruncate, off_t)
TRUNCATING(ftruncate64, off64_t)

#define ALLOCATING(name, offset) \
int name(int fd, offset at, offset size) \
{ \
    REAL(name); \
    if (!path_of(fd)) return real(fd, at, size); \
    ENTER; \
    int result = fails(ALLOCATE, paths[fd]) ? abs(fault.error) : real(fd, at, size); \
    struct stat found; \
    if (result == 0 && recorded(fd) && fstat(fd, &found) == 0) put('T', fd, found.st_size, NULL, 0); \
    LEAVE(result); \
}
ALLOCATING(posix_fallocate, off_t)
ALLOCATING(posix_fallocate64, off64_t)

int rename(const char *from, const char *to)
{
    REAL(rename);
    if (!below_root(from)) return real(from, to);
    ENTER;
    int result = fails(RENAME, from) ? -1 : real(from, to);
    if (result == 0) {
        size_t first = strlen(from) + 1, size = first + strlen(to);
        char *both = malloc(size + 1);
        strcpy(both, from), strcpy(both + first, to);
        put('R', 0, 0, both, size);
        free(both);
    }
    LEAVE(result);
}

int unlink(const char *path)
{
    REAL(unlink);
    if (!below_root(path)) return real(path);
    ENTER;
    int result = fails(UNLINK, path) ? -1 : real(path);
    if (result == 0 && !volatile_file(path)) put('U', 0, 0, path, strlen(path));
    LEAVE(result);
}

#define MAPPING(name, offset) \
void *name(void *at, size_t size, int protection, int flags, int fd, offset from) \
{ \
    REAL(name); \
    if (!recorded(fd) || !(flags & MAP_SHARED)) return real(at, size, protection, flags, fd, from); \
    ENTER; \
    void *result = fails(MAP, paths[fd]) ? MAP_FAILED : real(at, size, protection, flags, fd, from); \
    for (int i = 0; result != MAP_FAILED && out >= 0; i++) { \
        if (i == MAPS || from != 0) abort(); \
        if (maps[i].at) continue; \
        maps[i].at = result, maps[i].size = size, maps[i].number = ++next_map; \
        memcpy(maps[i].was = malloc(size), result, size); \
        put('P', fd, next_map, NULL, 0); \
        break; \
    } \
    LEAVE(result); \
}
MAPPING(mmap, off_t)
MAPPING(mmap64, off64_t)

int munmap(void *at, size_t size)
{
    REAL(munmap);
    int ours = 0;
    for (int i = 0; i < MAPS; i++) ours |= at && maps[i].at == at;
    if (!ours) return real(at, size);
    ENTER;
    for (int i = 0; i < MAPS; i++)
        if (maps[i].at == at) maps[i].at = NULL, free(maps[i].was);
    int result = real(at, size);
    LEAVE(result);
}
