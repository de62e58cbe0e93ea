/// Finds people in pictures. Not for several threads at once.
public protocol PersonDetector: AnyObject {
  /// People without doubles, the unsure included.
  ///
  /// - Parameter regions: where to look. A detector that always looks at the whole picture may do so, and is only asked where there
  ///   are regions.
  func detections(in picture: Picture, regions: [RegionPlan.Region]) throws(DetectorError) -> [Detection]
}
