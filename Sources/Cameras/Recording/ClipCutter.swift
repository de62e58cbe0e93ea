import Foundation
import Vision

/// Cuts clips out of what a ``LiveOutput`` holds: what was before an event and what came after.
///
/// Clips begin and end where segments do, so up to a segment earlier and later than asked for.
public struct ClipCutter: Sendable {
  public enum Failure: Error, Sendable, Hashable, CustomStringConvertible {
    /// Nothing of that time is held any more, or yet.
    case absent
    case file(String)
    case program(String)

    public var description: String {
      switch self {
      case .absent: "no video of that time is held"
      case .file(let reason): "the clip cannot be written: \(reason)"
      case .program(let reason): "ffmpeg cannot put it together: \(reason)"
      }
    }
  }

  public let folder: URL
  /// Seconds for which ffmpeg may work on one clip.
  public var patience = 60.0
  /// Bytes of a clip at most.
  public var maxBytes = 512 << 20

  /// - Parameter folder: of the output.
  public init(folder: URL) { self.folder = folder }

  /// The playlist as it is now.
  public var playlist: HLSPlaylist? {
    FileManager.default.contents(atPath: folder.appending(path: LiveOutput.playlistName).path)
      .map { HLSPlaylist(String(decoding: $0, as: UTF8.self)) }
  }

  /// Whether everything up to a time is there, so that a clip that ends then can be cut.
  public func holds(until end: Date) -> Bool { playlist?.segments.last.map { $0.end >= end } ?? false }

  /// Writes the video from one time to another as MP4, whole or not at all.
  /// - Throws: ``Failure``
  public func cut(from begin: Date, to end: Date, into file: URL) throws(Failure) {
    guard let playlist, let header = playlist.header else { throw .absent }
    let segments = playlist.segments(from: begin, to: end)
    guard !segments.isEmpty else { throw .absent }
    let joined = file.appendingPathExtension("m4s.part")
    let made = file.appendingPathExtension("part")
    defer { for part in [joined, made] { try? FileManager.default.removeItem(at: part) } }
    var bytes = Data()
    for name in [header] + segments.map(\.name) {
      guard let data = FileManager.default.contents(atPath: folder.appending(path: name).path) else { throw .absent }
      bytes.append(data)
      guard bytes.count <= maxBytes else { throw .file("more than \(maxBytes) bytes") }
    }
    do { try bytes.write(to: joined) } catch { throw .file(error.localizedDescription) }
    do throws(VideoError) {
      let program = try MediaProgram(
        "ffmpeg",
        [
          "-nostdin", "-hide_banner", "-loglevel", "error", "-y", "-protocol_whitelist", "file", "-f", "mp4", "-i",
          "file:" + joined.path, "-c", "copy", "-movflags", "+faststart", "-f", "mp4", "file:" + made.path,
        ])
      guard program.wait(atMost: patience) == 0 else { throw VideoError.undecodable(program.said()) }
    } catch {
      throw .program(error.description)
    }
    do {
      try? FileManager.default.removeItem(at: file)
      try FileManager.default.moveItem(at: made, to: file)
    } catch {
      throw .file(error.localizedDescription)
    }
  }
}
