#include "shared.hpp"

#include <algorithm>
#include <vector>

#include <opencv2/imgproc.hpp>
#include <opencv2/objdetect.hpp>

struct MadangFaces {
  cv::CascadeClassifier cascade;
};

int32_t madang_canvas_draw(MadangPicture picture, const MadangPlacement *placements, size_t count, uint8_t *canvas,
                           int32_t width, int32_t height) {
  if (!madang::isPicture(picture) || !madang::isPicture({canvas, width, height})) return -1;
  try {
    const madang::Working working(madang::threads());
    const cv::Mat frame = madang::view(picture);
    cv::Mat drawn(height, width, CV_8UC3, canvas);
    drawn.setTo(cv::Scalar::all(127));
    for (size_t index = 0; index < count; ++index) {
      const cv::Rect from = madang::rectangle(placements[index].from), to = madang::rectangle(placements[index].to);
      if (from.empty() || to.empty() || (from & cv::Rect(cv::Point(), frame.size())) != from ||
          (to & cv::Rect(cv::Point(), drawn.size())) != to)
        return -1;
      cv::Mat place = drawn(to);
      cv::resize(frame(from), place, to.size(), 0, 0, to.area() < from.area() ? cv::INTER_AREA : cv::INTER_LINEAR);
    }
    return 0;
  } catch (...) {
    return -1;
  }
}

int32_t madang_picture_colours(MadangPicture picture, const MadangBox *boxes, size_t count, float *shares) {
  if (!madang::isPicture(picture)) return -1;
  try {
    const madang::Working working(madang::threads());
    const cv::Mat frame = madang::view(picture);
    std::fill_n(shares, count * 48, 0.0f);
    for (size_t index = 0; index < count; ++index) {
      const cv::Rect box = madang::rectangle(boxes[index]);
      for (int half = 0; half < 2; ++half) {
        // The edges of a box are mostly ground.
        const cv::Rect part = cv::Rect(box.x + box.width / 5, box.y + box.height * (half == 0 ? 14 : 50) / 100,
                                       box.width * 3 / 5, box.height * 36 / 100) &
                              cv::Rect(cv::Point(), frame.size());
        float *bins = shares + index * 48 + half * 24;
        for (int y = part.y; y < part.y + part.height; ++y) {
          const uint8_t *pixel = frame.ptr<uint8_t>(y) + 3 * part.x;
          for (int x = 0; x < part.width; ++x, pixel += 3)
            for (int channel = 0; channel < 3; ++channel) bins[channel * 8 + (pixel[channel] >> 5)] += 1;
        }
        for (int bin = 0; bin < 24 && part.area() > 0; ++bin) bins[bin] /= float(part.area());
      }
    }
    return 0;
  } catch (...) {
    return -1;
  }
}

int32_t madang_picture_coarsen(uint8_t *pixels, int32_t width, int32_t height, const MadangBox *boxes, size_t count,
                               int32_t cells) {
  if (!madang::isPicture({pixels, width, height}) || cells < 1) return -1;
  try {
    const madang::Working working(madang::threads());
    cv::Mat frame(height, width, CV_8UC3, pixels), few;
    for (size_t index = 0; index < count; ++index) {
      const cv::Rect part = madang::rectangle(boxes[index]) & cv::Rect(cv::Point(), frame.size());
      if (part.empty()) continue;
      const double cell = std::max(1.0, double(std::max(part.width, part.height)) / cells);
      cv::Mat place = frame(part);
      const cv::Size size(std::max(1, int(part.width / cell)), std::max(1, int(part.height / cell)));
      cv::resize(place, few, size, 0, 0, cv::INTER_AREA);
      cv::resize(few, place, part.size(), 0, 0, cv::INTER_NEAREST);
    }
    return 0;
  } catch (...) {
    return -1;
  }
}

int32_t madang_picture_cover(uint8_t *pixels, int32_t width, int32_t height, const int32_t *points, size_t corners) {
  if (!madang::isPicture({pixels, width, height})) return -1;
  try {
    const madang::Working working(madang::threads());
    cv::Mat frame(height, width, CV_8UC3, pixels);
    std::vector<cv::Point> polygon;
    for (size_t index = 0; index < corners; ++index) polygon.emplace_back(points[2 * index], points[2 * index + 1]);
    if (polygon.size() >= 3) cv::fillPoly(frame, std::vector<std::vector<cv::Point>>{polygon}, cv::Scalar::all(64));
    return 0;
  } catch (...) {
    return -1;
  }
}

MadangFaces *madang_faces_read(const char *path) {
  MadangFaces *faces = nullptr;
  try {
    faces = new MadangFaces();
    if (faces->cascade.load(path) && !faces->cascade.empty()) return faces;
  } catch (...) {
  }
  delete faces;
  return nullptr;
}

void madang_faces_free(MadangFaces *faces) { delete faces; }

int32_t madang_faces_find(MadangFaces *faces, MadangPicture picture, int32_t smallest, MadangBox *boxes,
                          int32_t capacity) {
  if (!madang::isPicture(picture)) return -1;
  try {
    const madang::Working working(madang::threads());
    cv::Mat grey;
    cv::cvtColor(madang::view(picture), grey, cv::COLOR_BGR2GRAY);
    std::vector<cv::Rect> found;
    faces->cascade.detectMultiScale(grey, found, 1.1, 3, 0, cv::Size(smallest, smallest));
    const int32_t count = std::min(int32_t(found.size()), std::max(0, capacity));
    for (int32_t index = 0; index < count; ++index) boxes[index] = madang::box(found[size_t(index)]);
    return count;
  } catch (...) {
    return -1;
  }
}
