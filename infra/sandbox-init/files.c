#define _GNU_SOURCE
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "owner.h"
#include "wire.h"

enum { DEPTH_MAX = 64 };

static int file = -1;
static char file_path[PATH_MAX];
static uint64_t left;
/* The errno with which WORKDIR could not be entered, or 0. */
static int no_workdir;
/* A failure is reported once per file. The rest of a file that failed is read and dropped. */
static int file_failed;

/* Makes a folder if there is none. Returns 0, or the errno of the failure. */
static int make_folder(int at, const char *path) {
    return mkdirat(at, path, 0755) != 0 && errno != EEXIST ? errno : 0;
}

/* If the folder is still missing, the useful error is the one from making it. */
static int reason(int number, int refused) { return number == ENOENT && refused ? refused : number; }

void enter_workdir(char *path) {
    if (path[0] != '/') broken("WORKDIR is not absolute");
    int refused = 0;
    for (char *at = path + 1; *at && !refused; at++) {
        if (*at != '/') continue;
        *at = 0;
        refused = make_folder(AT_FDCWD, path);
        *at = '/';
    }
    if (!refused) refused = make_folder(AT_FDCWD, path);
    no_workdir = chdir(path) != 0 ? reason(errno, refused) : 0;
    if (no_workdir) send_failure(IN_WORKDIR, no_workdir, path);
    else give_workdir();
}

static int is_plain(const char *part) { return part[0] && strcmp(part, ".") && strcmp(part, ".."); }

int open_parent(char *path, int make, char **name) {
    int folder = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    for (char *part = path;; part = *name) {
        char *slash = strchr(part, '/');
        if (slash) *slash = 0;
        int plain = is_plain(part);
        if (!slash) {
            *name = part;
            if (plain) return folder;
        } else {
            *name = slash + 1;
        }
        if (!plain) broken("a path has a part that is empty, . or ..");
        if (folder < 0) return -1;
        int refused = make ? make_folder(folder, part) : 0;
        int next = openat(folder, part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int number = reason(errno, refused);
        close(folder);
        *slash = '/';
        folder = next;
        errno = number;
        if (folder < 0) return -1;
    }
}

static void end_file(int number) {
    if (file >= 0) close(file);
    file = -1;
    if (number && !file_failed) send_failure(IN_FILE, number, file_path);
    if (number) file_failed = 1;
}

void begin_file(uint32_t mode, uint64_t size, char *path) {
    strncpy(file_path, path, sizeof file_path - 1);
    file_failed = 0;
    left = size;
    char *name;
    int folder = open_parent(path, 1, &name);
    if (folder < 0) return end_file(errno);
    /* If it cannot be removed, the open that follows reports the error. */
    if (mode & FILE_REPLACES) unlinkat(folder, name, 0);
    file = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
    int number = errno;
    close(folder);
    if (file < 0) return end_file(number);
    if (give_file(file) != 0 || fchmod(file, mode & 0777) != 0) return end_file(errno);
    if (left == 0) end_file(0);
}

void file_data(const unsigned char *data, size_t length) {
    if (length > left) broken("DATA without a FILE, or more of it than was said");
    left -= length;
    while (file >= 0 && length > 0) {
        ssize_t done = write(file, data, length);
        if (done < 0) return end_file(errno);
        data += done;
        length -= (size_t)done;
    }
    if (left == 0) end_file(0);
}

uint64_t file_left(void) { return left; }

static void send_entry(const struct stat *found, const char *path) {
    unsigned char payload[12 + PATH_MAX];
    size_t length = strlen(path);
    memcpy(put64(put32(payload, found->st_mode & 0777), (uint64_t)found->st_size), path, length);
    send_frame('l', payload, 12 + length);
}

/* Whether the list leaves out something below the work folder. */
static unsigned char list_cut;

/* Closes `folder`. Returns false when the most entries are reached. */
static int list_folder(int folder, char *path, size_t length, int depth, uint32_t *room) {
    DIR *entries = fdopendir(folder);
    if (!entries) {
        close(folder);
        return 1;
    }
    int more = 1;
    for (struct dirent *entry; more && (entry = readdir(entries));) {
        size_t named = strlen(entry->d_name);
        struct stat found;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (length + named + 2 > PATH_MAX) {
            list_cut = 1;
            continue;
        }
        if (fstatat(folder, entry->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0) continue;
        memcpy(path + length, entry->d_name, named + 1);
        /* Folders count too: otherwise very many empty folders would keep us busy for ever. */
        if (S_ISREG(found.st_mode) || S_ISDIR(found.st_mode)) {
            if (*room == 0) {
                more = 0;
                list_cut = 1;
                break;
            }
            *room -= 1;
        }
        if (S_ISREG(found.st_mode)) send_entry(&found, path);
        if (!S_ISDIR(found.st_mode)) continue;
        if (depth == DEPTH_MAX) {
            list_cut = 1;
            continue;
        }
        int inner = openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (inner < 0) continue;
        path[length + named] = '/';
        more = list_folder(inner, path, length + named + 1, depth + 1, room);
    }
    closedir(entries);
    return more;
}

void list_files(uint32_t max) {
    char path[PATH_MAX];
    int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    list_cut = 0;
    if (folder >= 0) list_folder(folder, path, 0, 0, &max);
    send_frame('z', &list_cut, 1);
    write_output(1);
}

void send_content(char *path) {
    static unsigned char piece[FRAME_MAX];
    char *name;
    struct stat found;
    int folder = open_parent(path, 0, &name);
    int from = folder < 0 ? -1 : openat(folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int number = errno;
    if (folder >= 0) close(folder);
    if (from >= 0 && (fstat(from, &found) != 0 || !S_ISREG(found.st_mode))) {
        close(from);
        from = -1;
        number = EINVAL;
    }
    if (from < 0) return send_failure(IN_GET, number, path);
    uint64_t size = (uint64_t)found.st_size;
    put64(piece, size);
    send_frame('a', piece, 8);
    while (size > 0) {
        ssize_t done = read(from, piece, size < sizeof piece ? (size_t)size : sizeof piece);
        if (done < 0 && errno == EINTR) continue;
        /* The file became shorter meanwhile, or the disk failed. */
        if (done <= 0) {
            send_failure(IN_GET, done < 0 ? errno : EIO, path);
            break;
        }
        send_frame('d', piece, (size_t)done);
        size -= (uint64_t)done;
    }
    close(from);
    write_output(1);
}

void remove_file(char *path) {
    char *name;
    int folder = open_parent(path, 0, &name);
    int number = folder < 0 ? errno : no_workdir;
    if (!number && unlinkat(folder, name, 0) != 0) number = errno;
    if (folder >= 0) close(folder);
    if (number) return send_failure(IN_UNLINK, number, path);
    send_frame('u', NULL, 0);
}
