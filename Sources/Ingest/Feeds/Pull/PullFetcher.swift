import AsyncHTTPClient
import Egress
import Foundation
import NIOCore
import NIOHTTP1

/// One fetch as it is asked for.
struct PullRequest: Sendable {
  var url: String
  /// Without those of ``validators``.
  var headers: [(name: String, value: String)]
  /// Headers that go to the host of the URL only.
  var secretHeaders: [(name: String, value: String)] = []
  /// Parameters of the query that go to the host of the URL only.
  var secretQuery: [(name: String, value: String)] = []
  var validators = Validators()
  var seconds: Double
  var mostBytes: Int

  /// What tells one version of a resource from another (RFC 9110 section 8.8).
  struct Validators: Sendable, Hashable {
    var entityTag: String?
    var lastModified: String?
  }
}

/// What came of a fetch.
enum PullReply: Sendable {
  case body([UInt8], PullRequest.Validators)
  /// Nothing has changed since the version that the validators tell.
  case unchanged
  /// - Parameter retryAfter: seconds that the server asks to be left alone.
  case failed(String, retryAfter: Double?)
}

protocol PullFetching: Sendable {
  func fetch(_ request: PullRequest) async -> PullReply
}

/// Fetches over HTTP within bounds: time, size, redirects, and hosts that may be called.
struct PullFetcher: PullFetching {
  static let mostRedirects = 5

  let client: HTTPClient
  let egress: Egress

  /// Settings of a client that is fit for this.
  static var configuration: HTTPClient.Configuration {
    var configuration = HTTPClient.Configuration()
    configuration.redirectConfiguration = .disallow
    configuration.httpVersion = .http1Only
    configuration.timeout = .init(connect: .seconds(10), read: .seconds(60))
    configuration.connectionPool.idleTimeout = .seconds(15)
    return configuration
  }

  private struct Late: Error {}

  private struct Failed: Error {
    var reason: String
    var retryAfter: Double?
  }

  func fetch(_ request: PullRequest) async -> PullReply {
    do {
      return try await withThrowingTaskGroup(of: PullReply.self) { group in
        group.addTask { try await follow(request) }
        group.addTask {
          try await Task.sleep(for: .seconds(request.seconds))
          throw Late()
        }
        defer { group.cancelAll() }
        guard let reply = try await group.next() else { throw Late() }
        return reply
      }
    } catch is Late {
      return .failed("the answer did not come whole within \(Self.short(request.seconds)) s", retryAfter: nil)
    } catch let failure as Failed {
      return .failed(failure.reason, retryAfter: failure.retryAfter)
    } catch let error as HTTPClientError {
      return .failed("it cannot be reached, or its answer broke off: \(error.shortDescription)", retryAfter: nil)
    } catch {
      return .failed(
        "it cannot be reached, or its answer broke off: \(String(describing: type(of: error)))", retryAfter: nil)
    }
  }

  private static func short(_ seconds: Double) -> String {
    seconds.rounded() == seconds ? String(Int(seconds)) : String(seconds)
  }

  /// Follows redirects; secrets go nowhere but where they were meant for.
  private func follow(_ request: PullRequest) async throws -> PullReply {
    var url = request.url
    for _ in 0...Self.mostRedirects {
      try await mayCall(url)
      let isHome = Self.origin(of: url) == Self.origin(of: request.url)
      var asked = HTTPClientRequest(url: isHome && url == request.url ? Self.adding(request.secretQuery, to: url) : url)
      for (name, value) in request.headers { asked.headers.add(name: name, value: value) }
      if isHome { for (name, value) in request.secretHeaders { asked.headers.replaceOrAdd(name: name, value: value) } }
      asked.headers.replaceOrAdd(name: "Accept-Encoding", value: "gzip, identity")
      if let tag = request.validators.entityTag { asked.headers.replaceOrAdd(name: "If-None-Match", value: tag) }
      if let time = request.validators.lastModified {
        asked.headers.replaceOrAdd(name: "If-Modified-Since", value: time)
      }
      let response = try await client.execute(asked, deadline: .distantFuture)
      let status = Int(response.status.code)
      switch status {
      case 200: return try await body(of: response, request)
      case 304 where request.validators != PullRequest.Validators(): return .unchanged
      case 301, 302, 303, 307, 308:
        guard let location = response.headers.first(name: "Location"),
          let target = URL(string: location, relativeTo: URL(string: url))?.absoluteString
        else { throw Failed(reason: "it answers \(status) without saying where to") }
        guard target.lowercased().hasPrefix("https://") || target.lowercased().hasPrefix("http://"),
          !(url.lowercased().hasPrefix("https://") && target.lowercased().hasPrefix("http://"))
        else { throw Failed(reason: "it leads from https elsewhere: \(Self.shown(target))") }
        url = target
      default:
        throw Failed(
          reason: "it answers \(status)",
          retryAfter: response.headers.first(name: "Retry-After").flatMap(Double.init))
      }
    }
    throw Failed(reason: "it leads on and on: more than \(Self.mostRedirects) redirects")
  }

  /// The addresses of a name are asked for on a thread that may wait.
  private func mayCall(_ url: String) async throws {
    let egress = egress
    let refusal = await withCheckedContinuation { continuation in
      DispatchQueue.global(qos: .utility).async { continuation.resume(returning: egress.refusal(ofResolved: url)) }
    }
    if let refusal { throw Failed(reason: "\(Self.shown(url)): \(refusal)") }
  }

  private func body(of response: HTTPClientResponse, _ request: PullRequest) async throws -> PullReply {
    let tooLarge = "its body has more than \(request.mostBytes) bytes"
    if let length = response.headers.first(name: "Content-Length").flatMap(Int.init), length > request.mostBytes {
      throw Failed(reason: tooLarge)
    }
    let coding = response.headers.first(name: "Content-Encoding")?.lowercased() ?? "identity"
    guard ["identity", "gzip", "x-gzip"].contains(coding) else {
      throw Failed(reason: "its body is packed as '\(coding.prefix(40))', which was not asked for")
    }
    var bytes: [UInt8] = []
    for try await chunk in response.body {
      guard bytes.count + chunk.readableBytes <= request.mostBytes else { throw Failed(reason: tooLarge) }
      bytes.append(contentsOf: chunk.readableBytesView)
    }
    if bytes.starts(with: [0x1F, 0x8B]) {
      do throws(IngestError) {
        let unpacked = try InflateSource(BytesSource(bytes), name: "the body")
        bytes = try ByteSources.readAll(unpacked, name: "the body", most: request.mostBytes)
      } catch { throw Failed(reason: error.description) }
    } else if coding != "identity", !bytes.isEmpty {
      throw Failed(reason: "its body is said to be gzip and is not")
    }
    let validators = PullRequest.Validators(
      entityTag: response.headers.first(name: "ETag"), lastModified: response.headers.first(name: "Last-Modified"))
    return .body(bytes, validators)
  }

  // MARK: - URLs

  private static func origin(of url: String) -> String {
    let parts = url.lowercased().split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
    return parts.prefix(3).joined(separator: "/")
  }

  /// What people may see of a URL that came from elsewhere: no query, no user.
  static func shown(_ url: String) -> String {
    let plain = url.prefix { $0 != "?" && $0 != "#" }
    let parts = plain.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count > 2, let at = parts[2].lastIndex(of: "@") else { return String(plain.prefix(200)) }
    let rest = parts.count > 3 ? "/" + parts[3] : ""
    return String((parts[0] + "//" + parts[2][parts[2].index(after: at)...] + rest).prefix(200))
  }

  private static func adding(_ parameters: [(name: String, value: String)], to url: String) -> String {
    var unreserved = CharacterSet.alphanumerics
    unreserved.insert(charactersIn: "-._~")
    return parameters.reduce(url) { url, parameter in
      let value = parameter.value.addingPercentEncoding(withAllowedCharacters: unreserved) ?? ""
      return url + (url.contains("?") ? "&" : "?") + parameter.name + "=" + value
    }
  }
}

/// Bytes that are at hand.
final class BytesSource: ByteSource {
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  var progress: Double { bytes.isEmpty ? 1 : Double(position) / Double(bytes.count) }

  func next() -> [UInt8]? {
    guard position < bytes.count else { return nil }
    let end = min(position + (64 << 10), bytes.count)
    defer { position = end }
    return Array(bytes[position..<end])
  }
}
