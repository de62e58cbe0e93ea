#ifndef COPENCV_H
#define COPENCV_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// Pictures are 8-bit BGR, rows without padding. No call throws; none keeps a pointer that it was given.

/// A picture to be read.
typedef struct {
  const uint8_t *pixels;
  int32_t width, height;
} MadangPicture;

/// A rectangle in pixels of a picture.
typedef struct {
  int32_t x, y, width, height;
} MadangBox;

/// How many threads OpenCV may use in this process for one call; 0: those of the machine.
void madang_cv_threads(int32_t count);

// ---- Motion ----------------------------------------------------------------------------------------

/// Background subtraction (MOG2) on a picture made smaller. One for each camera; one thread at a time.
typedef struct MadangMotion MadangMotion;

/// A connected piece of the foreground.
typedef struct {
  MadangBox box;
  /// Pixels of the foreground in it, in pixels of the whole picture.
  int32_t area;
} MadangBlob;

/// `longSide`: pixels of the longer side of what is looked at. `threshold`: squared distance in standard deviations
/// beyond which a pixel is no background. `ratio`: share of the past that background makes up. NULL without memory.
MadangMotion *madang_motion_new(int32_t longSide, double threshold, double ratio);
void madang_motion_free(MadangMotion *motion);

/// Looks at the next picture; a picture of another size begins anew. `rate`: share of the background that it makes up.
/// Returns how many pieces were found (the first `capacity`, the largest, are written), or -1.
int32_t madang_motion_next(MadangMotion *motion, MadangPicture picture, double rate, MadangBlob *blobs, int32_t capacity);

/// The share of a rectangle of the last picture that is foreground, 0 to 1.
double madang_motion_share(const MadangMotion *motion, MadangBox box);

// ---- Networks --------------------------------------------------------------------------------------

/// A network that OpenCV's dnn runs on the processor. One thread at a time.
typedef struct MadangNetwork MadangNetwork;

typedef enum {
  MadangNetworkONNX = 0,
  MadangNetworkTensorFlow = 1,
} MadangNetworkFormat;

/// What comes out of a network; valid until the network's next call.
typedef struct {
  int32_t dimensions;
  int32_t size[6];
  const float *values;
  size_t count;
} MadangTensor;

/// Reads a network out of the bytes of its file. NULL on failure; `message` says why.
MadangNetwork *madang_network_read(const uint8_t *bytes, size_t count, MadangNetworkFormat format, char *message,
                                   size_t messageSize);
void madang_network_free(MadangNetwork *network);

/// Runs it: each value of the picture is `(value - mean) * scale`, in the order BGR, or RGB when `swap` is not 0. `outputs`: names,
/// ended by NULL, or NULL for all that end the network. Each size of picture has buffers of its own, of which four sizes
/// are kept. Returns how many tensors were written to `tensors`, or -1; `message` says why.
int32_t madang_network_run(MadangNetwork *network, MadangPicture picture, float mean, float scale, int32_t swap,
                           const char *const *outputs, MadangTensor *tensors, int32_t capacity, char *message,
                           size_t messageSize);

// ---- Pictures --------------------------------------------------------------------------------------

/// A part of a picture and the place on a canvas that it is scaled to.
typedef struct {
  MadangBox from, to;
} MadangPlacement;

/// Draws parts of a picture onto a canvas of `width` by `height`, which is grey elsewhere. 0, or -1 for a part or place that
/// is not inside.
int32_t madang_canvas_draw(MadangPicture picture, const MadangPlacement *placements, size_t count, uint8_t *canvas,
                           int32_t width, int32_t height);

/// Colours of upright boxes: for the upper and the lower half of each, the shares of 8 steps of blue, green and red (48 numbers a box;
/// shares of one colour add up to 1, or are all 0 where nothing of the half is in the picture).
int32_t madang_picture_colours(MadangPicture picture, const MadangBox *boxes, size_t count, float *shares);

/// Makes parts of a picture unrecognizable: at most `cells` coloured cells along the longer side of each. Parts are cut to
/// the picture.
int32_t madang_picture_coarsen(uint8_t *pixels, int32_t width, int32_t height, const MadangBox *boxes, size_t count,
                               int32_t cells);

/// Covers a polygon with one colour. `points`: x and y of each corner.
int32_t madang_picture_cover(uint8_t *pixels, int32_t width, int32_t height, const int32_t *points, size_t corners);

// ---- Faces -----------------------------------------------------------------------------------------

/// A cascade that finds faces. One thread at a time.
typedef struct MadangFaces MadangFaces;

/// NULL when the file is no cascade.
MadangFaces *madang_faces_read(const char *path);
void madang_faces_free(MadangFaces *faces);

/// Faces of at least `smallest` pixels. Returns how many were written, or -1.
int32_t madang_faces_find(MadangFaces *faces, MadangPicture picture, int32_t smallest, MadangBox *boxes,
                          int32_t capacity);

#ifdef __cplusplus
}
#endif

#endif
