#ifndef MADANG_COPENCV_SHARED_HPP
#define MADANG_COPENCV_SHARED_HPP

#include "COpenCV.h"

#include <cstdio>
#include <exception>
#include <shared_mutex>

#include <opencv2/core.hpp>

namespace madang {

/// A view of a caller's picture; OpenCV has no matrix of constant pixels, so nobody may write through it.
inline cv::Mat view(MadangPicture picture) {
  return cv::Mat(picture.height, picture.width, CV_8UC3, const_cast<uint8_t *>(picture.pixels));
}

inline bool isPicture(MadangPicture picture) {
  return picture.pixels != nullptr && picture.width > 0 && picture.height > 0 && picture.width <= 16384 &&
         picture.height <= 16384;
}

inline cv::Rect rectangle(MadangBox box) { return cv::Rect(box.x, box.y, box.width, box.height); }

inline MadangBox box(cv::Rect rectangle) {
  return MadangBox{rectangle.x, rectangle.y, rectangle.width, rectangle.height};
}

/// Held while OpenCV works: it must not be told to use another number of threads meanwhile, since its threads are then taken away.
inline std::shared_mutex &threads() {
  static std::shared_mutex mutex;
  return mutex;
}

using Working = std::shared_lock<std::shared_mutex>;

inline void say(char *message, size_t size, const char *text) {
  if (message != nullptr && size > 0) std::snprintf(message, size, "%s", text);
}

}  // namespace madang

#endif
