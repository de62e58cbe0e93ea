// Takes the place of the C library's file calls in the program that it is linked into: a program's own symbols come
// before those of its shared libraries, so libsqlite3 calls these. They do what they always did, through the kernel, and
// write down what was asked of the files of one folder.
//
// A write is written down when it is done. A sync is two records, because it promises only what was written before it
// began, and only once it has ended; in between other threads go on.

#define _GNU_SOURCE
#include "CDiskRecorder.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { MOST_DESCRIPTORS = 4096, MOST_FILES = 4096, MOST_NAME = 4096 };
enum { NOT_WATCHED = 0, THE_FOLDER = -1 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static FILE *record;
static int is_broken;
static char folder[MOST_NAME];
static size_t folder_length;
// What a descriptor stands for: a file's number, the folder, or nothing that is watched.
static int watched[MOST_DESCRIPTORS];
static char names[MOST_FILES][128];
static int is_linked[MOST_FILES];
static int files;
static uint64_t syncs;

static void note(uint32_t kind, uint32_t file, uint64_t a, uint64_t b, const void *bytes) {
  if (!record) return;
  struct { uint32_t kind, file; uint64_t a, b; } head = {kind, file, a, b};
  if (fwrite(&head, sizeof head, 1, record) != 1) is_broken = 1;
  if (bytes && b && fwrite(bytes, b, 1, record) != 1) is_broken = 1;
}

// The name of a watched file below the folder. The index of the log lives in memory shared by processes and is made anew
// after a crash; the lock file is empty.
static const char *watched_name(const char *path) {
  if (!record || strncmp(path, folder, folder_length) != 0 || path[folder_length] != '/') return NULL;
  const char *name = path + folder_length + 1;
  size_t length = strlen(name);
  if (length == 0 || length >= sizeof names[0] || strchr(name, '/')) return NULL;
  if (length > 4 && strcmp(name + length - 4, "-shm") == 0) return NULL;
  if (length > 5 && strcmp(name + length - 5, ".lock") == 0) return NULL;
  return name;
}

static int file_named(const char *name) {
  for (int file = files; file >= 1; file--)
    if (is_linked[file] && strcmp(names[file], name) == 0) return file;
  return 0;
}

static int open_file(const char *path, int flags, int mode) {
  pthread_mutex_lock(&lock);
  int descriptor = (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
  int code = errno;
  if (descriptor >= 0 && descriptor < MOST_DESCRIPTORS) {
    watched[descriptor] = NOT_WATCHED;
    const char *name = watched_name(path);
    if (record && strcmp(path, folder) == 0) watched[descriptor] = THE_FOLDER;
    if (name) {
      int file = file_named(name);
      if (!file && files + 1 < MOST_FILES) {
        file = ++files;
        strcpy(names[file], name);
        is_linked[file] = 1;
        note(DISK_CREATE, file, 0, strlen(name), name);
      }
      if (!file) is_broken = 1;
      if (flags & O_TRUNC) note(DISK_TRUNCATE, file, 0, 0, NULL);
      watched[descriptor] = file;
    }
  }
  pthread_mutex_unlock(&lock);
  errno = code;
  return descriptor;
}

int open64(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  int mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, int) : 0;
  va_end(rest);
  return open_file(path, flags, mode);
}

int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  int mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, int) : 0;
  va_end(rest);
  return open_file(path, flags, mode);
}

int close(int descriptor) {
  pthread_mutex_lock(&lock);
  if (descriptor >= 0 && descriptor < MOST_DESCRIPTORS) watched[descriptor] = NOT_WATCHED;
  int result = (int)syscall(SYS_close, descriptor);
  int code = errno;
  pthread_mutex_unlock(&lock);
  errno = code;
  return result;
}

static int watched_file(int descriptor) {
  return record && descriptor >= 0 && descriptor < MOST_DESCRIPTORS ? watched[descriptor] : NOT_WATCHED;
}

static ssize_t write_at(int descriptor, const void *bytes, size_t count, off_t offset) {
  pthread_mutex_lock(&lock);
  ssize_t written = syscall(SYS_pwrite64, descriptor, bytes, count, offset);
  int code = errno;
  int file = watched_file(descriptor);
  if (file > 0 && written > 0) note(DISK_WRITE, file, offset, written, bytes);
  pthread_mutex_unlock(&lock);
  errno = code;
  return written;
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
  return write_at(descriptor, bytes, count, offset);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
  return write_at(descriptor, bytes, count, offset);
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
  pthread_mutex_lock(&lock);
  ssize_t written = syscall(SYS_write, descriptor, bytes, count);
  int code = errno;
  int file = watched_file(descriptor);
  if (file > 0 && written > 0)
    note(DISK_WRITE, file, (uint64_t)(lseek(descriptor, 0, SEEK_CUR) - written), written, bytes);
  pthread_mutex_unlock(&lock);
  errno = code;
  return written;
}

static int truncate_file(int descriptor, off_t size) {
  pthread_mutex_lock(&lock);
  int result = (int)syscall(SYS_ftruncate, descriptor, size);
  int code = errno;
  int file = watched_file(descriptor);
  if (file > 0 && result == 0) note(DISK_TRUNCATE, file, size, 0, NULL);
  pthread_mutex_unlock(&lock);
  errno = code;
  return result;
}

int ftruncate64(int descriptor, off64_t size) { return truncate_file(descriptor, size); }
int ftruncate(int descriptor, off_t size) { return truncate_file(descriptor, size); }

static int sync_file(int descriptor, long call) {
  pthread_mutex_lock(&lock);
  int file = watched_file(descriptor);
  uint64_t number = ++syncs;
  if (file != NOT_WATCHED) note(DISK_SYNC_BEGIN, file > 0 ? file : 0, number, 0, NULL);
  pthread_mutex_unlock(&lock);
  int result = (int)syscall(call, descriptor);
  int code = errno;
  pthread_mutex_lock(&lock);
  if (file != NOT_WATCHED && result == 0) note(DISK_SYNC_END, file > 0 ? file : 0, number, 0, NULL);
  pthread_mutex_unlock(&lock);
  errno = code;
  return result;
}

int fdatasync(int descriptor) { return sync_file(descriptor, SYS_fdatasync); }
int fsync(int descriptor) { return sync_file(descriptor, SYS_fsync); }

int unlink(const char *path) {
  pthread_mutex_lock(&lock);
  int result = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
  int code = errno;
  const char *name = watched_name(path);
  if (name && result == 0) {
    int file = file_named(name);
    if (file) {
      is_linked[file] = 0;
      note(DISK_UNLINK, file, 0, strlen(name), name);
    }
  }
  pthread_mutex_unlock(&lock);
  errno = code;
  return result;
}

int rename(const char *old, const char *new) {
  pthread_mutex_lock(&lock);
  int result = (int)syscall(SYS_renameat, AT_FDCWD, old, AT_FDCWD, new);
  int code = errno;
  const char *from = watched_name(old), *to = watched_name(new);
  if (from && to && result == 0) {
    int file = file_named(from), over = file_named(to);
    if (over) is_linked[over] = 0;
    if (!file) is_broken = 1;
    strcpy(names[file], to);
    note(DISK_RENAME, file, 0, strlen(to), to);
  } else if ((from || to) && result == 0) {
    is_broken = 1; // into the folder or out of it: nobody does that
  }
  pthread_mutex_unlock(&lock);
  errno = code;
  return result;
}

int disk_recorder_start(const char *path, const char *log) {
  if (strlen(path) >= sizeof folder) return 0;
  pthread_mutex_lock(&lock);
  strcpy(folder, path);
  folder_length = strlen(path);
  record = fopen(log, "we");
  if (record) setvbuf(record, NULL, _IOFBF, 1 << 20);
  pthread_mutex_unlock(&lock);
  return record != NULL;
}

void disk_recorder_mark(uint32_t kind, uint64_t a, uint64_t b) {
  pthread_mutex_lock(&lock);
  if (record) {
    struct { uint32_t kind, file; uint64_t a, b; } head = {DISK_MARK, kind, a, b};
    if (fwrite(&head, sizeof head, 1, record) != 1) is_broken = 1;
  }
  pthread_mutex_unlock(&lock);
}

int disk_recorder_stop(void) {
  pthread_mutex_lock(&lock);
  if (record && fclose(record) != 0) is_broken = 1;
  record = NULL;
  int is_whole = !is_broken;
  pthread_mutex_unlock(&lock);
  return is_whole;
}
