import COpenCV
import Vision

/// Says what moves in the pictures of one camera: background subtraction (MOG2) on a smaller picture. Not for several threads
/// at once.
public final class MotionGate {
  public struct Settings: Sendable, Hashable {
    /// Pixels of the longer side of what is looked at.
    public var longSide = 384
    /// Squared distance in standard deviations beyond which a pixel is no background (MOG2's `varThreshold`).
    public var threshold = 25.0
    /// Seconds after which what came and stays is half of the background.
    public var memory = 60.0
    /// Least share of the picture's area that a piece makes up; smaller ones are noise.
    public var leastArea = 0.00012

    public init() {}
  }

  /// A connected piece of what moves.
  public struct Blob: Sendable, Hashable {
    public var box: Box
    /// The share of the box that moves.
    public var fill: Double
  }

  static let maxBlobs = 256

  private let settings: Settings
  private let motion: OpaquePointer
  private var seen = 0
  private var size: PictureSize?
  private var last: Double?

  public init(settings: Settings = Settings()) throws(DetectorError) {
    self.settings = settings
    guard let made = madang_motion_new(Int32(settings.longSide), settings.threshold, 0.6) else {
      throw .network("no memory for a background")
    }
    motion = made
  }

  deinit { madang_motion_free(motion) }

  /// Pieces that move, the largest first. `time`: seconds.
  public func next(_ picture: Picture, at time: Double) -> [Blob] {
    if size != picture.size { (size, seen, last) = (picture.size, 0, nil) }
    let step = min(max(time - (last ?? time), 0.01), 10)
    last = time
    seen += 1
    // The first pictures are all there is to know of the background.
    let rate = max(1 / Double(seen), 0.7 * step / settings.memory)
    var blobs = [MadangBlob](repeating: MadangBlob(), count: Self.maxBlobs)
    let count = picture.pixels.withUnsafeBufferPointer {
      madang_motion_next(
        motion,
        MadangPicture(pixels: $0.baseAddress, width: Int32(picture.size.width), height: Int32(picture.size.height)),
        rate,
        &blobs, Int32(Self.maxBlobs))
    }
    let least = settings.leastArea * Double(picture.size.width * picture.size.height)
    return blobs.prefix(Int(max(0, min(count, Int32(Self.maxBlobs))))).filter { Double($0.area) >= least }.map { blob in
      let box = blob.box.box
      return Blob(box: box, fill: box.area > 0 ? min(1, Double(blob.area) / box.area) : 0)
    }
  }

  /// The share of a box of the last picture that moves, 0 to 1.
  public func share(_ box: Box) -> Double { madang_motion_share(motion, MadangBox(box)) }
}
