/* Ends the process at one of its system calls, as `kill -9` does at that moment. Loaded with LD_PRELOAD; `kill_at` and
 * `calls_seen` are called through ctypes.
 *
 * Counted are the calls by which a process changes anything outside of itself, of all its threads together. The kill
 * comes before the call, or behind it; in the middle of it where a call can do half: a write of half the bytes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BEFORE, BEHIND, HALF };
static atomic_long seen = 0, at = 0;
static atomic_int how = BEFORE, counting = 0;

void kill_at(long call, int way)
{
    at = call;
    how = way;
    seen = 0;
    counting = 1;
}

long calls_seen(void) { return seen; }

static void die(void) { for (;;) kill(getpid(), SIGKILL); }
static int now(void) { return counting && atomic_fetch_add(&seen, 1) + 1 == at; }

#define CALL(type, name, parameters, arguments, half)                      \
    type name parameters                                                   \
    {                                                                      \
        static type(*real) parameters;                                     \
        if (!real) real = (type(*) parameters)dlsym(RTLD_NEXT, #name);     \
        if (!now()) return real arguments;                                 \
        if (how == HALF) half;                                             \
        else if (how == BEHIND) real arguments;                            \
        die();                                                             \
        return real arguments;                                             \
    }
#define WHOLE(type, name, parameters, arguments) CALL(type, name, parameters, arguments, real arguments)

CALL(ssize_t, write, (int fd, const void *data, size_t size), (fd, data, size), real(fd, data, size / 2))
CALL(ssize_t, pwrite, (int fd, const void *data, size_t size, off_t to), (fd, data, size, to),
     real(fd, data, size / 2, to))
CALL(ssize_t, pwrite64, (int fd, const void *data, size_t size, off64_t to), (fd, data, size, to),
     real(fd, data, size / 2, to))
CALL(ssize_t, send, (int fd, const void *data, size_t size, int flags), (fd, data, size, flags),
     real(fd, data, size / 2, flags))
WHOLE(ssize_t, recv, (int fd, void *data, size_t size, int flags), (fd, data, size, flags))
WHOLE(int, fsync, (int fd), (fd))
WHOLE(int, fdatasync, (int fd), (fd))
WHOLE(int, msync, (void *data, size_t size, int flags), (data, size, flags))
CALL(int, ftruncate, (int fd, off_t size), (fd, size), real(fd, size / 2))
CALL(int, ftruncate64, (int fd, off64_t size), (fd, size), real(fd, size / 2))
CALL(int, posix_fallocate, (int fd, off_t from, off_t size), (fd, from, size), real(fd, from, size / 2))
CALL(int, posix_fallocate64, (int fd, off64_t from, off64_t size), (fd, from, size), real(fd, from, size / 2))
WHOLE(int, rename, (const char *from, const char *to), (from, to))
WHOLE(int, unlink, (const char *path), (path))
WHOLE(int, mkdir, (const char *path, mode_t mode), (path, mode))
WHOLE(int, close, (int fd), (fd))
WHOLE(int, flock, (int fd, int operation), (fd, operation))
WHOLE(void *, mmap, (void *to, size_t size, int guard, int flags, int fd, off_t from),
      (to, size, guard, flags, fd, from))
WHOLE(void *, mmap64, (void *to, size_t size, int guard, int flags, int fd, off64_t from),
      (to, size, guard, flags, fd, from))
WHOLE(int, munmap, (void *data, size_t size), (data, size))

#define LAST(type) va_list more; va_start(more, last); type extra = va_arg(more, type); va_end(more)
static int opened(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode)
{
    int ends = now();
    if (ends && how == BEFORE) die();
    int fd = real(path, flags, mode);
    if (ends) die();
    return fd;
}
int open(const char *path, int last, ...)
{
    LAST(mode_t);
    return opened(dlsym(RTLD_NEXT, "open"), path, last, extra);
}
int open64(const char *path, int last, ...)
{
    LAST(mode_t);
    return opened(dlsym(RTLD_NEXT, "open64"), path, last, extra);
}
