#include "COsmium.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <system_error>
#include <vector>

#include <osmium/handler.hpp>
#include <osmium/io/pbf_input.hpp>
#include <osmium/io/reader.hpp>
#include <osmium/osm/entity_bits.hpp>
#include <osmium/visitor.hpp>

namespace {

struct TooLarge {};

/// What the pointers of the view that callers get point into.
struct Collected : MadangOsmWays {
  std::vector<int64_t> nodeIDs, wayIDs;
  std::vector<int32_t> longitudes, latitudes;
  std::vector<size_t> wayStarts{0}, tagStarts{0};
  std::vector<int64_t> references;
  std::vector<uint32_t> wayNodes;
  std::vector<char> text;
};

class Ways : public osmium::handler::Handler {
 public:
  Ways(Collected &into, const char *const *keys, size_t maxWays, size_t maxReferences)
      : into(into), keys(keys), maxWays(maxWays), maxReferences(maxReferences) {}

  void way(const osmium::Way &way) {
    if (way.tags().get_value_by_key(keys[0]) == nullptr) return;
    if (into.wayIDs.size() >= maxWays || way.nodes().size() > maxReferences - into.references.size()) throw TooLarge{};
    into.wayIDs.push_back(way.id());
    for (const auto &node : way.nodes()) into.references.push_back(node.ref());
    into.wayStarts.push_back(into.references.size());
    for (const char *const *key = keys; *key != nullptr; ++key) {
      const char *value = way.tags().get_value_by_key(*key);
      if (value == nullptr) continue;
      into.text.insert(into.text.end(), *key, *key + std::strlen(*key) + 1);
      into.text.insert(into.text.end(), value, value + std::strlen(value) + 1);
    }
    into.tagStarts.push_back(into.text.size());
  }

 private:
  Collected &into;
  const char *const *keys;
  size_t maxWays, maxReferences;
};

class Nodes : public osmium::handler::Handler {
 public:
  explicit Nodes(Collected &into, std::vector<bool> &found) : into(into), found(found) {}

  void node(const osmium::Node &node) {
    auto place = std::lower_bound(into.nodeIDs.begin(), into.nodeIDs.end(), node.id());
    if (place == into.nodeIDs.end() || *place != node.id() || !node.location().valid()) return;
    size_t index = place - into.nodeIDs.begin();
    found[index] = true;
    into.longitudes[index] = node.location().x();
    into.latitudes[index] = node.location().y();
  }

 private:
  Collected &into;
  std::vector<bool> &found;
};

void collect(const char *path, const char *const *keys, size_t maxWays, size_t maxReferences, Collected &into) {
  const osmium::io::File file{path, "pbf"};
  {
    osmium::io::Reader reader{file, osmium::osm_entity_bits::way, osmium::io::read_meta::no};
    Ways ways{into, keys, maxWays, maxReferences};
    osmium::apply(reader, ways);
    reader.close();
  }
  into.nodeIDs = into.references;
  std::sort(into.nodeIDs.begin(), into.nodeIDs.end());
  into.nodeIDs.erase(std::unique(into.nodeIDs.begin(), into.nodeIDs.end()), into.nodeIDs.end());
  into.longitudes.assign(into.nodeIDs.size(), 0);
  into.latitudes.assign(into.nodeIDs.size(), 0);
  std::vector<bool> found(into.nodeIDs.size(), false);
  {
    osmium::io::Reader reader{file, osmium::osm_entity_bits::node, osmium::io::read_meta::no};
    Nodes nodes{into, found};
    osmium::apply(reader, nodes);
    reader.close();
  }
  // Nodes that the file does not hold go; ways name what is left.
  const uint32_t missing = std::numeric_limits<uint32_t>::max();
  std::vector<uint32_t> kept(into.nodeIDs.size(), missing);
  uint32_t count = 0;
  for (size_t i = 0; i < kept.size(); ++i) {
    if (found[i]) kept[i] = count++;
  }
  into.wayNodes.reserve(into.references.size());
  for (int64_t reference : into.references) {
    size_t index = std::lower_bound(into.nodeIDs.begin(), into.nodeIDs.end(), reference) - into.nodeIDs.begin();
    into.wayNodes.push_back(kept[index]);
  }
  for (size_t i = 0; i < kept.size(); ++i) {
    if (kept[i] == missing) continue;
    into.nodeIDs[kept[i]] = into.nodeIDs[i];
    into.longitudes[kept[i]] = into.longitudes[i];
    into.latitudes[kept[i]] = into.latitudes[i];
  }
  into.nodeIDs.resize(count);
}

}  // namespace

MadangOsmResult madang_osm_read(const char *path, const char *const *keys, size_t maxWays, size_t maxReferences,
                                MadangOsmWays **out, char *message, size_t messageSize) {
  *out = nullptr;
  auto fail = [&](MadangOsmResult result, const char *text) {
    std::snprintf(message, messageSize, "%s", text);
    return result;
  };
  try {
    auto collected = std::make_unique<Collected>();
    collect(path, keys, maxWays, std::min<size_t>(maxReferences, std::numeric_limits<uint32_t>::max() - 1), *collected);
    MadangOsmWays &view = *collected;
    view.nodeCount = collected->nodeIDs.size();
    view.nodeID = collected->nodeIDs.data();
    view.longitude = collected->longitudes.data();
    view.latitude = collected->latitudes.data();
    view.wayCount = collected->wayIDs.size();
    view.wayID = collected->wayIDs.data();
    view.wayFirst = collected->wayStarts.data();
    view.wayNode = collected->wayNodes.data();
    view.tagFirst = collected->tagStarts.data();
    view.tags = collected->text.data();
    *out = collected.release();
    return MadangOsmRead;
  } catch (const TooLarge &) {
    return fail(MadangOsmTooLarge, "more ways or nodes than allowed");
  } catch (const std::system_error &error) {
    return fail(MadangOsmUnreadable, error.what());
  } catch (const std::bad_alloc &) {
    return fail(MadangOsmTooLarge, "more than the memory holds");
  } catch (const std::exception &error) {
    return fail(MadangOsmMalformed, error.what());
  } catch (...) {
    return fail(MadangOsmMalformed, "unknown failure");
  }
}

void madang_osm_free(MadangOsmWays *ways) { delete static_cast<Collected *>(ways); }
