import Foundation
import Vision

/// What ffprobe says of a video.
public struct VideoProbe: Sendable, Hashable {
  /// Pixels of a picture beyond which it is not read: 16 million, somewhat more than 5K.
  public static let maxPixels = 16_000_000

  public let size: PictureSize
  /// Pictures a second; `nil` where it says none that can be true.
  public let rate: Double?
  public let codec: String

  private struct Answer: Decodable {
    struct Stream: Decodable {
      var codec_name: String?
      var width: Int?
      var height: Int?
      var avg_frame_rate: String?
      var r_frame_rate: String?
    }
    var streams: [Stream]?
  }

  /// - Parameter patience: seconds that the video may be silent.
  public init(_ source: VideoSource, patience: Double = 10) throws(VideoError) {
    if source.kind == .file, !FileManager.default.isReadableFile(atPath: source.address) {
      throw .unreachable("\(source.name) is no readable file")
    }
    let program = try MediaProgram(
      "ffprobe",
      ["-hide_banner", "-loglevel", "error", "-probesize", "5000000", "-analyzeduration", "5000000"]
        + source.inputArguments(silence: patience) + [
          "-select_streams", "v:0", "-show_entries", "stream=codec_name,width,height,avg_frame_rate,r_frame_rate",
          "-of", "json",
        ])
    guard let output = program.all(maxBytes: 64 << 10, patience: patience) else {
      throw .unreachable("it does not answer")
    }
    let code = program.wait()
    let words = String(decoding: program.words, as: UTF8.self)
    if words.contains("401 Unauthorized") || words.contains("403 Forbidden") { throw .unauthorized }
    let answer = try? JSONDecoder().decode(Answer.self, from: Data(output))
    guard code == 0, let stream = answer?.streams?.first else {
      if code != 0, source.kind == .rtsp { throw .unreachable(program.lastWords) }
      throw .undecodable(code == 0 ? "it has no video" : program.lastWords)
    }
    guard let width = stream.width, let height = stream.height, width > 0, height > 0, let codec = stream.codec_name
    else {
      throw .undecodable("an unknown codec")
    }
    size = PictureSize(width: width, height: height)
    guard width <= 16_384, height <= 16_384, width * height <= Self.maxPixels else { throw .tooLarge(size) }
    self.codec = codec
    rate = Self.rate(stream.avg_frame_rate) ?? Self.rate(stream.r_frame_rate)
  }

  /// `30000/1001` as a number between 0.1 and 240.
  static func rate(_ text: String?) -> Double? {
    let parts = (text ?? "").split(separator: "/").map { Double($0) ?? 0 }
    guard parts.count == 2, parts[1] > 0 else { return nil }
    let rate = parts[0] / parts[1]
    return (0.1...240).contains(rate) ? rate : nil
  }
}
