#include "shared.hpp"

#include <algorithm>
#include <tuple>
#include <vector>

#include <opencv2/imgproc.hpp>
#include <opencv2/video/background_segm.hpp>

struct MadangMotion {
  int32_t longSide;
  double threshold, ratio;
  cv::Ptr<cv::BackgroundSubtractorMOG2> background;
  cv::Size whole;
  cv::Mat small, mask, sums, labels, statistics, centroids;
};

MadangMotion *madang_motion_new(int32_t longSide, double threshold, double ratio) {
  try {
    auto motion = new MadangMotion();
    motion->longSide = longSide;
    motion->threshold = threshold;
    motion->ratio = ratio;
    return motion;
  } catch (...) {
    return nullptr;
  }
}

void madang_motion_free(MadangMotion *motion) { delete motion; }

int32_t madang_motion_next(MadangMotion *motion, MadangPicture picture, double rate, MadangBlob *blobs,
                           int32_t capacity) {
  if (!madang::isPicture(picture)) return -1;
  try {
    const madang::Working working(madang::threads());
    const cv::Mat frame = madang::view(picture);
    if (motion->whole != frame.size() || motion->background.empty()) {
      motion->whole = frame.size();
      motion->background = cv::createBackgroundSubtractorMOG2(500, motion->threshold, true);
      motion->background->setBackgroundRatio(motion->ratio);
      motion->background->setShadowValue(0);
    }
    const double scale = std::min(1.0, double(motion->longSide) / std::max(frame.cols, frame.rows));
    const cv::Size size(std::max(1, int(frame.cols * scale + 0.5)), std::max(1, int(frame.rows * scale + 0.5)));
    cv::resize(frame, motion->small, size, 0, 0, cv::INTER_AREA);
    motion->background->apply(motion->small, motion->mask, rate);
    cv::medianBlur(motion->mask, motion->mask, 3);
    // People fall into pieces where their clothes are like the ground, mostly one above the other.
    static const cv::Mat upright = cv::getStructuringElement(cv::MORPH_ELLIPSE, cv::Size(3, 7));
    cv::morphologyEx(motion->mask, motion->mask, cv::MORPH_CLOSE, upright);
    cv::integral(motion->mask, motion->sums, CV_32S);
    const int count =
        cv::connectedComponentsWithStats(motion->mask, motion->labels, motion->statistics, motion->centroids, 8);
    const double across = double(frame.cols) / size.width, down = double(frame.rows) / size.height;
    std::vector<MadangBlob> found;
    for (int label = 1; label < count; ++label) {
      const int *row = motion->statistics.ptr<int>(label);
      const int left = int(row[cv::CC_STAT_LEFT] * across), top = int(row[cv::CC_STAT_TOP] * down);
      const int right = std::min(frame.cols, int((row[cv::CC_STAT_LEFT] + row[cv::CC_STAT_WIDTH]) * across + 0.5));
      const int bottom = std::min(frame.rows, int((row[cv::CC_STAT_TOP] + row[cv::CC_STAT_HEIGHT]) * down + 0.5));
      found.push_back({{left, top, right - left, bottom - top}, int32_t(row[cv::CC_STAT_AREA] * across * down)});
    }
    std::sort(found.begin(), found.end(), [](const auto &a, const auto &b) {
      return std::tie(b.area, a.box.y, a.box.x) < std::tie(a.area, b.box.y, b.box.x);
    });
    std::copy_n(found.begin(), std::min<size_t>(found.size(), size_t(std::max(0, capacity))), blobs);
    return int32_t(found.size());
  } catch (...) {
    return -1;
  }
}

double madang_motion_share(const MadangMotion *motion, MadangBox box) {
  if (motion->sums.empty()) return 0;
  try {
    const double across = double(motion->mask.cols) / motion->whole.width;
    const double down = double(motion->mask.rows) / motion->whole.height;
    const cv::Rect inside =
        cv::Rect(cv::Point(int(box.x * across), int(box.y * down)),
                 cv::Point(int((double(box.x) + box.width) * across + 0.5), int((double(box.y) + box.height) * down + 0.5))) &
        cv::Rect(cv::Point(), motion->mask.size());
    if (inside.area() == 0) return 0;
    const cv::Mat &sums = motion->sums;
    const int sum = sums.at<int>(inside.br()) - sums.at<int>(inside.y, inside.br().x) -
                    sums.at<int>(inside.br().y, inside.x) + sums.at<int>(inside.tl());
    return double(sum) / 255 / inside.area();
  } catch (...) {
    return 0;
  }
}
