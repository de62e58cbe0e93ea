import COpenCV
import Foundation
import Vision

/// Makes pictures fit to be shown and kept: covers masks, makes heads unrecognizable. Not for several threads at once.
///
/// Heads of people who are followed are found by the detector; where OpenCV's cascade for faces is installed (Debian package
/// `opencv-data`), faces of people whom nobody follows are found, too.
public final class PrivacyFilter {
  /// Where Debian keeps the cascade.
  public static let usualCascade = "/usr/share/opencv4/haarcascades/haarcascade_frontalface_default.xml"
  /// Coloured cells along the longer side of a head.
  public static let cells = 4
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

  /// - Parameter people: boxes of everybody in it.
  /// - Returns: `nil` where a picture could not be made fit; it is then not to be shown.
  public func filtered(_ picture: Picture, people: [Box]) -> Picture? {
    guard let found = faceBoxes(picture) else { return nil }
    var made = picture
    let (width, height) = (Int32(picture.size.width), Int32(picture.size.height))
    let heads = plan.heads(people: people, faces: found, in: picture.size).map(MadangBox.init)
    let isMade = made.pixels.withUnsafeMutableBufferPointer { pixels in
      guard madang_picture_coarsen(pixels.baseAddress, width, height, heads, heads.count, Int32(Self.cells)) == 0 else {
        return false
      }
      return plan.masks.allSatisfy { mask in
        let corners = mask.corners.flatMap { corner in
          [Int32((corner.x * Double(width)).rounded()), Int32((corner.y * Double(height)).rounded())]
        }
        return madang_picture_cover(pixels.baseAddress, width, height, corners, mask.corners.count) == 0
      }
    }
    return isMade ? made : nil
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
