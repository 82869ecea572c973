#define _GNU_SOURCE
#include "walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * The folders of this many levels are open at once. Deeper folders are handled later, so stack and descriptors do not grow with the depth.
 */
enum { OPEN_MAX = 64, WAITING_MAX = 1 << 20, HANDLE_BYTES = 32 };

/* A folder by the file system's own handle for it. So it stays the same folder even if somebody renames a folder above it. */
struct waiting {
    int type;
    unsigned char size, bytes[HANDLE_BYTES];
};

static struct waiting *queue;
static size_t queued, room;
static dev_t device;
static int complete;

static int put_off(int folder) {
    union {
        struct file_handle handle;
        unsigned char space[sizeof(struct file_handle) + HANDLE_BYTES];
    } named = {.handle.handle_bytes = HANDLE_BYTES};
    int mount;
    if (name_to_handle_at(folder, "", &named.handle, &mount, AT_EMPTY_PATH) != 0) return 0;
    if (queued == room) {
        if (room == WAITING_MAX) return 0;
        size_t more = room ? room * 2 : 1024;
        struct waiting *larger = realloc(queue, more * sizeof *queue);
        if (!larger) return 0;
        queue = larger;
        room = more;
    }
    struct waiting *one = queue + queued++;
    one->type = named.handle.handle_type;
    one->size = (unsigned char)named.handle.handle_bytes;
    memcpy(one->bytes, named.handle.f_handle, named.handle.handle_bytes);
    return 1;
}

static int take(int mount) {
    union {
        struct file_handle handle;
        unsigned char space[sizeof(struct file_handle) + HANDLE_BYTES];
    } named;
    struct waiting *one = queue + --queued;
    named.handle.handle_bytes = one->size;
    named.handle.handle_type = one->type;
    memcpy(named.handle.f_handle, one->bytes, one->size);
    return open_by_handle_at(mount, &named.handle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Closes `folder`. */
static void walk_folder(int folder, int depth, const struct look *look) {
    DIR *entries = depth < OPEN_MAX ? fdopendir(folder) : NULL;
    if (!entries) {
        if (depth < OPEN_MAX || !put_off(folder)) complete = 0;
        close(folder);
        return;
    }
    for (struct dirent *entry; !look->enough() && (entry = readdir(entries));) {
        struct stat found;
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (fstatat(folder, entry->d_name, &found, AT_SYMLINK_NOFOLLOW) != 0 || found.st_dev != device) continue;
        look->count(&found);
        if (!S_ISDIR(found.st_mode)) continue;
        int inner = openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (inner >= 0) walk_folder(inner, depth + 1, look);
    }
    closedir(entries);
}

int walk(const char *path, const struct look *look) {
    struct stat found;
    complete = 1;
    queued = 0;
    int top = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (top < 0 || fstat(top, &found) != 0) {
        if (top >= 0) close(top);
        return 0;
    }
    device = found.st_dev;
    look->count(&found);
    int mount = S_ISDIR(found.st_mode) ? openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int folder = mount < 0 ? -1 : openat(top, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    close(top);
    if (folder >= 0) walk_folder(folder, 0, look);
    while (queued > 0 && !look->enough()) {
        folder = take(mount);
        /* In most cases the folder is gone meanwhile. */
        if (folder >= 0) walk_folder(folder, 0, look);
    }
    if (mount >= 0) close(mount);
    return complete && (folder >= 0 || !S_ISDIR(found.st_mode));
}
