import Foundation
import Glibc
import Vision

/// Reads pictures out of a video, one after the other, through ffmpeg. Not for several threads at once.
public final class VideoReader {
  public enum Next {
    case picture(Picture)
    /// The video is over, or cannot be read any further.
    case end
    /// Nothing came in time; may be asked again.
    case silent
  }

  /// Size of the pictures that come out.
  public let size: PictureSize
  /// Pictures a second, as the video says; 25 where it says nothing.
  public let rate: Double
  /// True once the video's own pictures had another size than at the beginning; those that come out keep theirs.
  public private(set) var wasResized = false
  public private(set) var count = 0
  private let program: MediaProgram
  private var buffer: [UInt8]
  private var filled = 0
  /// The end of what was said before, so that words that are cut in two are found.
  private var tail = ""

  /// - Parameters:
  ///   - scaledTo: the size that pictures are brought to; their own where there is none.
  ///   - rate: pictures a second that are taken; all where there is none.
  ///   - isPaced: a file comes as fast as it was recorded, like from a camera, and again and again.
  public init(
    _ source: VideoSource, probe: VideoProbe, scaledTo: PictureSize? = nil, rate: Double? = nil, isPaced: Bool = false
  ) throws(VideoError) {
    size = scaledTo ?? probe.size
    self.rate = rate ?? probe.rate ?? 25
    var filters: [String] = []
    if let rate { filters.append("fps=\(rate)") }
    filters.append("scale=\(size.width):\(size.height):flags=area")
    var input = source.inputArguments(silence: 10)
    if isPaced { input = ["-stream_loop", "-1", "-re"] + input }
    program = try MediaProgram(
      "ffmpeg",
      ["-nostdin", "-hide_banner", "-loglevel", "info", "-nostats", "-threads", "1"] + input + [
        "-map", "0:v:0", "-an", "-sn", "-dn", "-vf", filters.joined(separator: ","), "-filter_threads", "1", "-vsync",
        rate == nil ? "passthrough" : "cfr", "-f", "rawvideo", "-pix_fmt", "bgr24", "pipe:1",
      ])
    buffer = [UInt8](repeating: 0, count: 3 * size.width * size.height)
    program.onWords = { [unowned self] words in
      let text = tail + words
      // ffmpeg 5.1: "Input stream #0:0 frame changed from size:320x240 fmt:yuv420p to size:640x480 fmt:yuv420p".
      if text.contains("frame changed from size:") { wasResized = true }
      tail = String(text.suffix(200))
    }
  }

  /// - Parameter patience: seconds to wait for a picture.
  public func next(patience: Double) -> Next {
    var isWhole = false
    var isOver = false
    var filled = self.filled
    buffer.withUnsafeMutableBytes { bytes in
      switch program.read(into: bytes, filled: &filled, patience: patience) {
      case .bytes: isWhole = true
      case .end: isOver = true
      case .silent: break
      }
    }
    self.filled = filled
    if isOver { return .end }
    guard isWhole else { return .silent }
    self.filled = 0
    count += 1
    guard let picture = Picture(size: size, pixels: buffer) else { return .end }
    return .picture(picture)
  }

  /// What ffmpeg said last.
  public var lastWords: String { program.lastWords }

  public func stop() { program.stop() }
}

extension Picture {
  /// Whether two pictures are the same to the byte.
  func isSame(as other: Picture) -> Bool {
    size == other.size
      && pixels.withUnsafeBytes { one in
        other.pixels.withUnsafeBytes { two in
          guard let one = one.baseAddress, let two = two.baseAddress else { return true }
          return memcmp(one, two, pixels.count) == 0
        }
      }
  }
}
