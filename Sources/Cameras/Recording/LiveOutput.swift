import Foundation
import Glibc
import Synchronization
import Vision

/// A camera's video for browsers: HLS with segments of fragmented MP4 in a folder of bounded size, written by ffmpeg. What goes in
/// must be fit to be seen (``PrivacyFilter``). The same segments are the ring out of which clips are cut (``ClipCutter``).
///
/// Not for several threads at once.
public final class LiveOutput {
  public struct Settings: Sendable, Hashable {
    /// Pictures a second; those that are missing are made up by the last one.
    public var rate = 5.0
    /// Seconds of a segment.
    public var segment = 2.0
    /// Seconds that the folder holds: what a clip may go back.
    public var window = 60.0
    /// Bytes a second at most.
    public var bitRate = 600_000
    /// Seconds for which the encoder may take nothing before it is given up.
    public var patience = 5.0

    public init() {}
  }

  public enum Failure: Error, Sendable, Hashable, CustomStringConvertible {
    case folder(String)
    case program(String)
    /// The encoder ended or takes nothing any more; start again.
    case encoder(String)
    /// A picture of another size than at the begin.
    case size

    public var description: String {
      switch self {
      case .folder(let reason): "the folder cannot be used: \(reason)"
      case .program(let name): "\(name) cannot be started (Debian package ffmpeg)"
      case .encoder(let reason): "the encoder gave up: \(reason)"
      case .size: "a picture of another size than before"
      }
    }
  }

  public static let playlistName = "live.m3u8"
  static let headerName = "init.mp4"

  public let folder: URL
  public let settings: Settings
  public var playlist: URL { folder.appending(path: Self.playlistName) }
  private let size: PictureSize
  private let program: MediaProgram
  private let input: Pipe
  private var begin: Double?
  private var written = 0

  /// Makes the folder where there is none, and removes what an earlier output left in it.
  ///
  /// - Parameter size: of all pictures that will come.
  /// - Throws: ``Failure``
  public init(folder: URL, size: PictureSize, settings: Settings = Settings()) throws(Failure) {
    self.folder = folder
    self.size = size
    self.settings = settings
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) where Self.isOurs(name) {
        try FileManager.default.removeItem(at: folder.appending(path: name))
      }
    } catch {
      throw .folder(error.localizedDescription)
    }
    // An encoder that died must not take the city along.
    signal(SIGPIPE, SIG_IGN)
    input = Pipe()
    let keep = max(2, Int((settings.window / settings.segment).rounded(.up)))
    do throws(VideoError) {
      program = try MediaProgram(
        "ffmpeg",
        [
          "-hide_banner", "-loglevel", "error", "-f", "rawvideo", "-pix_fmt", "bgr24", "-video_size", size.description,
          "-framerate", "\(settings.rate)", "-i", "pipe:0", "-an", "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-c:v",
          "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-threads", "1", "-pix_fmt", "yuv420p", "-maxrate",
          "\(settings.bitRate * 8)", "-bufsize", "\(settings.bitRate * 16)", "-g",
          "\(max(1, Int((settings.rate * settings.segment).rounded())))", "-f", "hls", "-hls_time",
          "\(settings.segment)",
          "-hls_list_size", "\(keep)", "-hls_delete_threshold", "2", "-hls_segment_type", "fmp4",
          "-hls_fmp4_init_filename", Self.headerName, "-hls_segment_filename",
          folder.appending(path: "segment-%d.m4s").path, "-hls_flags",
          "delete_segments+program_date_time+independent_segments+temp_file",
          folder.appending(path: Self.playlistName).path,
        ], input: input)
    } catch {
      throw .program("ffmpeg")
    }
    let descriptor = input.fileHandleForWriting.fileDescriptor
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
  }

  deinit { program.stop() }

  /// Whether a name in the folder is of an output.
  static func isOurs(_ name: String) -> Bool {
    name == playlistName || name == playlistName + ".tmp" || name == headerName
      || (name.hasPrefix("segment-") && (name.hasSuffix(".m4s") || name.hasSuffix(".m4s.tmp")))
  }

  /// Adds a picture.
  ///
  /// - Parameter time: seconds; never less than before. After a gap the last picture stands still, for five seconds at most.
  /// - Throws: ``Failure/encoder(_:)``, ``Failure/size``
  public func write(_ picture: Picture, at time: Double) throws(Failure) {
    guard picture.size == size else { throw .size }
    let first = begin ?? time
    begin = first
    var due = Int(((time - first) * settings.rate).rounded(.down)) + 1 - written
    let most = max(1, Int(settings.rate * 5))
    if due > most {
      // What lies before is lost time, not video.
      begin = first + Double(due - most) / settings.rate
      due = most
    }
    for _ in 0..<max(0, due) {
      try put(picture)
      written += 1
    }
  }

  private func put(_ picture: Picture) throws(Failure) {
    let descriptor = input.fileHandleForWriting.fileDescriptor
    var sent = 0
    var failure: Failure?
    picture.pixels.withUnsafeBytes { bytes in
      while sent < bytes.count, failure == nil {
        let count = Glibc.write(descriptor, bytes.baseAddress?.advanced(by: sent), bytes.count - sent)
        if count > 0 {
          sent += count
          continue
        }
        guard count < 0, errno == EAGAIN || errno == EINTR else {
          failure = .encoder(program.said())
          return
        }
        var polled = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        if poll(&polled, 1, Int32(settings.patience * 1_000)) == 0 { failure = .encoder("it takes nothing") }
      }
    }
    if let failure { throw failure }
  }

  /// Ends the video; the last segment is written out. The folder stays as it is.
  public func stop() {
    try? input.fileHandleForWriting.close()
    program.wait(atMost: settings.patience)
    program.stop()
  }

  /// Removes what the output left in its folder.
  public func remove() {
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? [] where Self.isOurs(name) {
      try? FileManager.default.removeItem(at: folder.appending(path: name))
    }
  }
}
