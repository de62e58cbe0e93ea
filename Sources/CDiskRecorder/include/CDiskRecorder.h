#ifndef C_DISK_RECORDER_H
#define C_DISK_RECORDER_H

#include <stdint.h>

/// Kinds of records. Each is {u32 kind, u32 file, u64 a, u64 b} in the machine's order, and for DISK_WRITE `b` bytes,
/// for DISK_CREATE, DISK_UNLINK and DISK_RENAME a name of `b` bytes. File 0 is the folder.
enum disk_record_kind {
  DISK_CREATE = 1,
  DISK_WRITE = 2,      // a: offset
  DISK_TRUNCATE = 3,   // a: size
  DISK_SYNC_BEGIN = 4, // a: number of the sync
  DISK_SYNC_END = 5,   // a: number of the sync
  DISK_UNLINK = 6,
  DISK_MARK = 7,       // file: kind of mark, a and b: the caller's
  DISK_RENAME = 8      // the name is the new one
};

/// Records from now on what the process does to the files of a folder, into a file outside of it. 0 when it cannot.
int disk_recorder_start(const char *folder, const char *log);

/// Puts a mark of the caller into the record.
void disk_recorder_mark(uint32_t kind, uint64_t a, uint64_t b);

/// Ends the record; 0 when not all of it could be written.
int disk_recorder_stop(void);

#endif
