/* A disk that loses what was never synced, for crash tests: cc -shared -fPIC -O2 -o unsynced.so unsynced.c -ldl
 *
 * kill -9 never shows a lost fsync, because the kernel keeps the pages of a killed process. With LD_PRELOAD set to this library
 * and BULLA_UNSYNCED_FROM=<data directory>, BULLA_UNSYNCED_TO=<shadow directory>, each file below the data directory is copied to
 * the shadow at each fsync or fdatasync of it, and at no other time. After a kill, the shadow is the disk as a power cut
 * would have left it at worst: what was written and never synced is not there.
 *
 * A rename or unlink reaches the shadow at once (journalled metadata); a file that was never synced is not in the shadow at all.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Writes the shadow's path for `path` into `out`; 0 where the path is not below the data directory. */
static int shadow_of(const char *path, char *out) {
    const char *from = getenv("BULLA_UNSYNCED_FROM"), *to = getenv("BULLA_UNSYNCED_TO");
    if (!from || !to) return 0;
    size_t length = strlen(from);
    if (strncmp(path, from, length) != 0 || path[length] != '/') return 0;
    return snprintf(out, PATH_MAX, "%s%s", to, path + length) < PATH_MAX;
}

static void make_parents(char *path) {
    for (char *at = path + 1; (at = strchr(at, '/')); at++) {
        *at = 0;
        mkdir(path, 0700);
        *at = '/';
    }
}

/* Copies the file behind `fd` as it is now; the shadow's file changes in one rename. */
static void copy_synced(int fd) {
    char link[64], path[PATH_MAX], shadow[PATH_MAX], temporary[PATH_MAX];
    static __thread char block[1 << 16];
    struct stat status;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return;
    path[length] = 0;
    if (!shadow_of(path, shadow) || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return;
    make_parents(shadow);
    if (snprintf(temporary, sizeof temporary, "%s.%d.copying", shadow, gettid()) >= (int)sizeof temporary) return;
    int source = open(path, O_RDONLY | O_CLOEXEC);
    if (source < 0) return;
    int target = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, status.st_mode & 0777);
    if (target >= 0) {
        ssize_t count;
        int whole = 1;
        while ((count = read(source, block, sizeof block)) > 0)
            if (write(target, block, (size_t)count) != count) { whole = 0; break; }
        close(target);
        if (whole && count == 0) rename(temporary, shadow);
        else unlink(temporary);
    }
    close(source);
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd) {
    int result = REAL(fsync)(fd);
    int kept = errno;
    if (result == 0) copy_synced(fd);
    errno = kept;
    return result;
}

int fdatasync(int fd) {
    int result = REAL(fdatasync)(fd);
    int kept = errno;
    if (result == 0) copy_synced(fd);
    errno = kept;
    return result;
}

int unlink(const char *path) {
    char shadow[PATH_MAX];
    int result = REAL(unlink)(path);
    int kept = errno;
    if (result == 0 && shadow_of(path, shadow)) REAL(unlink)(shadow);
    errno = kept;
    return result;
}

int rename(const char *from, const char *to) {
    char shadow_from[PATH_MAX], shadow_to[PATH_MAX];
    int result = REAL(rename)(from, to);
    int kept = errno;
    if (result == 0 && shadow_of(from, shadow_from) && shadow_of(to, shadow_to)) REAL(rename)(shadow_from, shadow_to);
    errno = kept;
    return result;
}
