import COpenCV
import Foundation
import Vision

/// Makes pictures fit to be shown and kept: covers masks, makes heads and what moves unknown unrecognizable
/// (``PrivacyPlan``). Not for several threads at once.
///
/// Heads of people who are followed are found by the detector, others by their movement; where OpenCV's cascade for faces is installed (Debian package
/// `opencv-data`), faces of people who stand still and whom nobody follows are found, too.
public final class PrivacyFilter {
  /// Where Debian keeps the cascade.
  public static let usualCascade = "/usr/share/opencv4/haarcascades/haarcascade_frontalface_default.xml"
  static let maxFaces = 256

  public let plan: PrivacyPlan
  private let faces: OpaquePointer?

  /// - Parameter cascade: a file of OpenCV's; none: only heads of people who are followed are hidden.
  public init(_ plan: PrivacyPlan, cascade: String? = PrivacyFilter.usualCascade) {
    self.plan = plan
    faces = plan.hidesHeads ? cascade.flatMap { madang_faces_read($0) } : nil
  }

  deinit { if let faces { madang_faces_free(faces) } }

  /// Whether faces of people whom nobody follows are found.
  public var findsFaces: Bool { faces != nil }

  /// - Returns: `nil` where a picture could not be made fit; it is then not to be shown.
  public func filtered(_ picture: Picture, known: PrivacyPlan.Known) -> Picture? {
    guard let found = faceBoxes(picture) else { return nil }
    let treatment = plan.treatment(known, faces: found, in: picture.size)
    var made = picture
    guard coarsen(&made, treatment.unknown) else { return nil }
    for body in treatment.bodies { made.restore(body, of: picture) }
    guard coarsen(&made, treatment.heads), cover(&made) else { return nil }
    return made
  }

  private func coarsen(_ picture: inout Picture, _ parts: [PrivacyPlan.Coarse]) -> Bool {
    let (width, height) = (Int32(picture.size.width), Int32(picture.size.height))
    return picture.pixels.withUnsafeMutableBufferPointer { pixels in
      parts.allSatisfy { part in
        var box = MadangBox(part.box)
        return madang_picture_coarsen(pixels.baseAddress, width, height, &box, 1, Int32(part.cells)) == 0
      }
    }
  }

  private func cover(_ picture: inout Picture) -> Bool {
    let (width, height) = (Int32(picture.size.width), Int32(picture.size.height))
    return picture.pixels.withUnsafeMutableBufferPointer { pixels in
      plan.masks.allSatisfy { mask in
        let corners = mask.corners.flatMap { corner in
          [Int32((corner.x * Double(width)).rounded()), Int32((corner.y * Double(height)).rounded())]
        }
        return madang_picture_cover(pixels.baseAddress, width, height, corners, mask.corners.count) == 0
      }
    }
  }

  private func faceBoxes(_ picture: Picture) -> [Box]? {
    guard let faces else { return [] }
    var boxes = [MadangBox](repeating: MadangBox(), count: Self.maxFaces)
    let count = picture.pixels.withUnsafeBufferPointer {
      madang_faces_find(
        faces,
        MadangPicture(pixels: $0.baseAddress, width: Int32(picture.size.width), height: Int32(picture.size.height)), 20,
        &boxes, Int32(Self.maxFaces))
    }
    return count < 0 ? nil : boxes.prefix(Int(count)).map(\.box)
  }
}

extension Picture {
  /// Takes a part over from a picture of the same size.
  fileprivate mutating func restore(_ part: Box, of other: Picture) {
    let box = part.clipped(to: size)
    let (left, right) = (Int(box.x.rounded(.up)), Int(box.right))
    guard left < right, other.size == size else { return }
    for row in Int(box.y.rounded(.up))..<max(Int(box.y.rounded(.up)), Int(box.bottom)) {
      let bytes = (row * size.width + left) * 3..<(row * size.width + right) * 3
      pixels.replaceSubrange(bytes, with: other.pixels[bytes])
    }
  }
}
