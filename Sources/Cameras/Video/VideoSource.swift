import Foundation
import Vision

/// Where video comes from: a file, or a camera that speaks RTSP.
public struct VideoSource: Sendable, Hashable {
  public enum Kind: Sendable, Hashable {
    case file
    case rtsp
  }

  public let kind: Kind
  /// Path or address. An address may hold a password: show ``name`` instead.
  let address: String

  /// - Throws: ``VideoError/address`` for what is neither an `rtsp:` or `rtsps:` URL nor a path.
  public init(_ text: String) throws(VideoError) {
    guard !text.isEmpty, text.utf8.count <= 2_000, !text.utf8.contains(where: { $0 < 32 || $0 == 127 }) else {
      throw .address
    }
    let scheme = text.split(separator: ":", maxSplits: 1).first.map { $0.lowercased() }
    if text.contains("://") {
      guard scheme == "rtsp" || scheme == "rtsps", let host = URLComponents(string: text)?.host, !host.isEmpty else {
        throw .address
      }
      kind = .rtsp
      address = text
    } else {
      kind = .file
      // A path that begins with a minus sign or looks like a protocol is still a path.
      address = URL(filePath: text).absoluteURL.path
    }
  }

  /// The address without name and password.
  public var name: String {
    guard kind == .rtsp, var parts = URLComponents(string: address) else { return address }
    (parts.user, parts.password) = (nil, nil)
    return parts.string ?? "rtsp"
  }

  /// How ffmpeg and ffprobe are to open it: only what it says it is, never what a playlist inside names.
  func inputArguments(silence: Double) -> [String] {
    switch kind {
    case .file:
      [
        "-protocol_whitelist", "file,pipe", "-format_whitelist", Self.containers.joined(separator: ","), "-i",
        "file:" + address,
      ]
    case .rtsp:
      [
        "-protocol_whitelist", "rtsp,rtp,tcp,tls,udp,srtp", "-rtsp_transport", "tcp", "-timeout",
        "\(Int(silence * 1_000_000))", "-i", address,
      ]
    }
  }

  /// Containers that hold video itself; no playlists.
  private static let containers = [
    "avi", "mov", "mp4", "m4a", "3gp", "3g2", "mj2", "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "matroska", "webm",
    "mpegts", "mpeg", "h264", "hevc", "mjpeg", "asf", "flv", "ogg", "nut", "ivf", "y4m", "yuv4mpegpipe",
  ]
}

/// Why there is no video.
public enum VideoError: Error, Sendable, Hashable, CustomStringConvertible {
  case address
  /// `ffmpeg` or `ffprobe` is not installed, or cannot be started.
  case program(String)
  case unreachable(String)
  case unauthorized
  case undecodable(String)
  case tooLarge(PictureSize)

  public var description: String {
    switch self {
    case .address: "neither a file nor an rtsp: or rtsps: address"
    case .program(let name): "\(name) cannot be started (Debian package ffmpeg)"
    case .unreachable(let reason): "it cannot be reached: \(reason)"
    case .unauthorized: "it wants another name and password"
    case .undecodable(let reason): "no video that can be read: \(reason)"
    case .tooLarge(let size): "pictures of \(size); at most \(VideoProbe.maxPixels) pixels are read"
    }
  }
}
