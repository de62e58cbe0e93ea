#include "shared.hpp"

#include <algorithm>
#include <list>
#include <string>
#include <vector>

#include <opencv2/dnn.hpp>

struct MadangNetwork {
  struct Sized {
    cv::Size size;
    cv::dnn::Net net;
  };

  MadangNetworkFormat format;
  std::vector<uchar> bytes;
  /// The one used last comes first. OpenCV allots all buffers anew when a net is given another size of picture.
  std::list<Sized> nets;
  std::vector<cv::Mat> results;
  cv::Mat blob;

  cv::dnn::Net read() const {
    cv::dnn::Net net =
        format == MadangNetworkONNX ? cv::dnn::readNetFromONNX(bytes) : cv::dnn::readNetFromTensorflow(bytes);
    net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
    net.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
    return net;
  }

  cv::dnn::Net &net(cv::Size size) {
    auto found = std::find_if(nets.begin(), nets.end(), [&](const Sized &one) { return one.size == size; });
    if (found == nets.end()) found = std::find_if(nets.begin(), nets.end(), [](const Sized &one) { return one.size.empty(); });
    if (found != nets.end()) {
      nets.splice(nets.begin(), nets, found);
    } else {
      if (nets.size() >= 4) nets.pop_back();
      nets.push_front({size, read()});
    }
    nets.front().size = size;
    return nets.front().net;
  }
};

void madang_cv_threads(int32_t count) {
  const std::unique_lock<std::shared_mutex> alone(madang::threads());
  cv::setNumThreads(count > 0 ? count : -1);
}

MadangNetwork *madang_network_read(const uint8_t *bytes, size_t count, MadangNetworkFormat format, char *message,
                                   size_t messageSize) {
  MadangNetwork *network = nullptr;
  try {
    network = new MadangNetwork();
    network->format = format;
    network->bytes.assign(bytes, bytes + count);
    cv::dnn::Net net = network->read();
    if (net.empty()) throw std::runtime_error("the network has no layers");
    network->nets.push_front({cv::Size(), std::move(net)});
    return network;
  } catch (const std::exception &error) {
    madang::say(message, messageSize, error.what());
  } catch (...) {
    madang::say(message, messageSize, "OpenCV cannot read it");
  }
  delete network;
  return nullptr;
}

void madang_network_free(MadangNetwork *network) { delete network; }

int32_t madang_network_run(MadangNetwork *network, MadangPicture picture, float mean, float scale, int32_t swap,
                           const char *const *outputs, MadangTensor *tensors, int32_t capacity, char *message,
                           size_t messageSize) {
  if (!madang::isPicture(picture)) return -1;
  try {
    const madang::Working working(madang::threads());
    const cv::Mat frame = madang::view(picture);
    cv::dnn::Net &net = network->net(frame.size());
    cv::dnn::blobFromImage(frame, network->blob, scale, cv::Size(), cv::Scalar::all(mean), swap != 0);
    net.setInput(network->blob);
    std::vector<cv::String> names;
    if (outputs == nullptr) names = net.getUnconnectedOutLayersNames();
    for (const char *const *name = outputs; name != nullptr && *name != nullptr; ++name) names.emplace_back(*name);
    if (names.size() > size_t(std::max(0, capacity))) {
      madang::say(message, messageSize, "it has too many outputs");
      return -1;
    }
    net.forward(network->results, names);
    int32_t written = 0;
    for (const cv::Mat &result : network->results) {
      MadangTensor &tensor = tensors[written];
      if (result.type() != CV_32F || result.dims > 6 || !result.isContinuous()) {
        madang::say(message, messageSize, "an output is no tensor of floats of at most 6 dimensions");
        return -1;
      }
      tensor.dimensions = result.dims;
      for (int index = 0; index < 6; ++index) tensor.size[index] = index < result.dims ? result.size[index] : 1;
      tensor.values = result.ptr<float>();
      tensor.count = result.total();
      ++written;
    }
    return written;
  } catch (const std::exception &error) {
    madang::say(message, messageSize, error.what());
  } catch (...) {
    madang::say(message, messageSize, "OpenCV cannot run it");
  }
  return -1;
}
