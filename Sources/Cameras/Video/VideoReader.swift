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
  /// The begin of a line that is not over yet.
  private var tail = ""
  private var cameIn: String?

  /// - Parameters:
  ///   - scaledTo: the size that pictures are brought to; their own where there is none.
  ///   - rate: pictures a second that are taken; all where there is none.
  ///   - isPaced: a file comes as fast as it was recorded, like from a camera, and again and again.
  public init(
    _ source: VideoSource, probe: VideoProbe, scaledTo: PictureSize? = nil, rate: Double? = nil, isPaced: Bool = false
  ) throws(VideoError) {
    size = scaledTo ?? probe.size
    self.rate = rate ?? probe.rate ?? 25
    var filters = ["showinfo=checksum=0"]
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
    program.onWords = { [unowned self] words in hear(words) }
  }

  /// The filter `showinfo` prints a line for each picture, with the size that it came in: `… s:768x576 …`.
  private func hear(_ words: String) {
    var lines = (tail + words).split(separator: "\n", omittingEmptySubsequences: false)
    tail = String(lines.popLast()?.suffix(1_000) ?? "")
    for line in lines where line.contains("showinfo") {
      guard let part = line.split(separator: " ").first(where: { $0.hasPrefix("s:") }) else { continue }
      let size = String(part.dropFirst(2))
      if cameIn != nil, cameIn != size { wasResized = true }
      cameIn = size
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
