import Foundation

/// Marks a video: lines of text in each picture, in a corner and faintly across the middle, where no cut takes them away.
public struct VideoMark: Sendable {
  private let lines: [String]
  /// Seconds for which ffmpeg may work.
  public var patience = 300.0

  /// - Parameter lines: at most eight are drawn; of each the first 120 characters of ASCII.
  public init(lines: [String]) {
    self.lines = lines.prefix(8).map { line in
      String(
        line.filter { $0.isASCII && !$0.isNewline && $0.asciiValue.map { $0 >= 32 && $0 < 127 } ?? false }.prefix(120))
    }
  }

  /// Writes the marked video as MP4, whole or not at all.
  public func write(from source: URL, to file: URL) throws(VideoError) {
    // The text is in files, and their names are plain: nothing of it is read as a filter's own words.
    let folder = FileManager.default.temporaryDirectory.appending(path: "mark-\(UUID().uuidString)")
    let part = file.appendingPathExtension("part")
    defer {
      try? FileManager.default.removeItem(at: folder)
      try? FileManager.default.removeItem(at: part)
    }
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try lines.joined(separator: "\n").write(to: folder.appending(path: "all"), atomically: true, encoding: .utf8)
      try (lines.first ?? "").write(to: folder.appending(path: "first"), atomically: true, encoding: .utf8)
    } catch { throw .undecodable("the mark cannot be written") }
    func text(_ name: String, _ rest: String) -> String {
      "drawtext=font=sans:textfile=\(folder.appending(path: name).path):expansion=none:\(rest)"
    }
    let filter = [
      text("all", "x=6:y=h-th-6:fontsize=h/36:line_spacing=2:fontcolor=white:box=1:boxcolor=black@0.6:boxborderw=4"),
      text("first", "x=mod(24*t\\,w/2):y=(h-th)/2:fontsize=h/16:fontcolor=white@0.28:borderw=1:bordercolor=black@0.28"),
    ].joined(separator: ",")
    let program = try MediaProgram(
      "ffmpeg",
      [
        "-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-protocol_whitelist", "file", "-f", "mp4", "-i",
        "file:" + source.path, "-an", "-vf", filter, "-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-threads",
        "1", "-pix_fmt", "yuv420p", "-movflags", "+faststart", "-f", "mp4", "file:" + part.path,
      ])
    guard program.wait(atMost: patience) == 0 else { throw .undecodable(program.said()) }
    do {
      try? FileManager.default.removeItem(at: file)
      try FileManager.default.moveItem(at: part, to: file)
    } catch { throw .undecodable("the marked video cannot be put in place") }
  }
}
