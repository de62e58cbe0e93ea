#ifndef COSMIUM_H
#define COSMIUM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// The ways of an OpenStreetMap file that have a tag of a given key, and the nodes that they go through.
typedef struct {
  /// Nodes, in ascending order of their OpenStreetMap id. Positions are WGS 84 degrees times 10^7.
  size_t nodeCount;
  int64_t *nodeID;
  int32_t *longitude;
  int32_t *latitude;
  /// Ways, in the order of the file. Way `w` goes through `wayNode[wayFirst[w] ..< wayFirst[w + 1]]`, indices of nodes;
  /// UINT32_MAX stands for a node that the file names and does not hold.
  size_t wayCount;
  int64_t *wayID;
  size_t *wayFirst;
  uint32_t *wayNode;
  /// The tags of way `w`: `tags[tagFirst[w] ..< tagFirst[w + 1]]`, each a key and a value, both ended by NUL.
  size_t *tagFirst;
  char *tags;
} MadangOsmWays;

/// What became of reading a file.
typedef enum {
  MadangOsmRead = 0,
  /// The file cannot be opened or read.
  MadangOsmUnreadable = 1,
  /// The file is no OpenStreetMap PBF, or a broken one.
  MadangOsmMalformed = 2,
  /// The file holds more ways or nodes than the bounds allow.
  MadangOsmTooLarge = 3,
} MadangOsmResult;

/// Reads a PBF file. `keys` are the keys of the tags that are kept (ended by NULL); a way is kept when it has the first.
/// On success `*out` is to be given back with `madang_osm_free`; otherwise it is NULL and `message` says why.
MadangOsmResult madang_osm_read(const char *path, const char *const *keys, size_t maxWays, size_t maxReferences,
                                MadangOsmWays **out, char *message, size_t messageSize);

void madang_osm_free(MadangOsmWays *ways);

#ifdef __cplusplus
}
#endif

#endif
