import AsyncHTTPClient
import Federation
import Foundation
import Hub
import NGSI
import NIOCore
import NIOHTTP1

/// The hub's way out over HTTP: notifications, calls to context sources, and @contexts that clients name.
///
/// No redirect is followed for notifications and calls, at most three for contexts; answers are read within a bound.
public struct HTTPOutlet: Sendable {
  /// Largest @context document in bytes.
  public static let contextBytes = 2 << 20
  /// Bytes of a subscriber's answer that are read before the connection is given up.
  static let answerBytes = 64 << 10

  private let client: HTTPClient

  public init() {
    var configuration = HTTPClient.Configuration()
    configuration.redirectConfiguration = .disallow
    configuration.timeout = .init(connect: .seconds(3), read: .seconds(30))
    configuration.connectionPool.idleTimeout = .seconds(30)
    // A receiver that is away ends the attempt. Left to itself the pool would go on trying, and bring a notification to
    // whoever listens there next, though its subscription was deleted meanwhile.
    configuration.connectionPool.retryConnectionEstablishment = false
    configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 16
    client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
  }

  public func shutdown() async { try? await client.shutdown() }
}

extension HTTPOutlet: NotificationSending {
  public func send(_ message: NotificationMessage) async -> String? {
    var request = HTTPClientRequest(url: message.url)
    request.method = .POST
    for (name, value) in message.headers { request.headers.add(name: name, value: value) }
    request.body = .bytes(message.body)
    let sent = request
    do {
      let status = try await Self.within(message.timeout) {
        let response = try await client.execute(sent, deadline: .distantFuture)
        // The answer's text matters to nobody, but an unread one would cost the connection.
        var read = 0
        for try await chunk in response.body {
          read += chunk.readableBytes
          if read > Self.answerBytes { break }
        }
        return response.status.code
      }
      return (200..<300).contains(status) ? nil : "the receiver answered \(status)"
    } catch is Late {
      return "the receiver did not answer within \(message.timeout) s"
    } catch let error as HTTPClientError {
      return "the receiver could not be reached: \(error.shortDescription)"
    } catch {
      return "the receiver could not be reached: \(String(describing: error).prefix(200))"
    }
  }
}

extension HTTPOutlet: SourceCalling {
  private struct TooLong: Error {}
  private struct NoRoom: Error {}

  public func call(_ call: SourceCall) async -> SourceReply {
    var request = HTTPClientRequest(url: call.url)
    request.method = HTTPMethod(rawValue: call.method.rawValue)
    for (name, value) in call.headers { request.headers.add(name: name, value: value) }
    if let body = call.body { request.body = .bytes(body) }
    let sent = request
    do {
      return try await Self.within(call.timeout) {
        let response = try await client.execute(sent, deadline: .distantFuture)
        var body: [UInt8] = []
        for try await chunk in response.body {
          guard body.count + chunk.readableBytes <= call.answerBytes else { throw TooLong() }
          guard call.share.take(chunk.readableBytes) else { throw NoRoom() }
          body.append(contentsOf: chunk.readableBytesView)
        }
        return .answered(
          status: Int(response.status.code), headers: response.headers.map { ($0.name, $0.value) }, body: body)
      }
    } catch is TooLong {
      return .tooLong
    } catch is NoRoom {
      return .noRoom
    } catch is Late {
      return .late
    } catch let error as HTTPClientError {
      if error == .connectTimeout || error == .readTimeout || error == .deadlineExceeded { return .late }
      return .unreachable("it could not be reached: \(error.shortDescription)")
    } catch {
      return .unreachable("it could not be reached: \(String(describing: error).prefix(200))")
    }
  }
}

extension HTTPOutlet {
  private struct Late: Error {}

  /// Runs the exchange, the reading of the answer included, for this many seconds at most: one that sends a byte now
  /// and then is late too.
  private static func within<Value: Sendable>(
    _ seconds: Double, _ exchange: @escaping @Sendable () async throws -> Value
  ) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
      group.addTask { try await exchange() }
      group.addTask {
        try await Task.sleep(for: .seconds(seconds))
        throw Late()
      }
      defer { group.cancelAll() }
      guard let value = try await group.next() else { throw Late() }
      return value
    }
  }
}

extension HTTPOutlet {
  /// Why no answer came whole.
  public struct Unanswered: Error, Sendable {
    public let reason: String
  }

  /// Posts a text; gives status and body of the answer, `nil` when none came whole in time and within its bound.
  ///
  /// - Parameters:
  ///   - type: its media type.
  ///   - headers: further ones.
  ///   - timeout: seconds, the reading of the answer included.
  public func post(
    _ body: String, to url: String, type: String = "text/plain; charset=utf-8", headers: [(String, String)] = [],
    timeout: Double, answerBytes: Int
  ) async -> (status: Int, body: [UInt8])? {
    try? await ask(body, at: url, type: type, headers: headers, timeout: timeout, answerBytes: answerBytes)
  }

  /// The same, with the reason where no answer came whole.
  public func ask(
    _ body: String, at url: String, type: String, headers: [(String, String)], timeout: Double, answerBytes: Int
  ) async throws(Unanswered) -> (status: Int, body: [UInt8]) {
    var request = HTTPClientRequest(url: url)
    request.method = .POST
    request.headers.add(name: "Content-Type", value: type)
    for (name, value) in headers { request.headers.add(name: name, value: value) }
    request.body = .bytes(Array(body.utf8))
    let sent = request
    do {
      return try await Self.within(timeout) {
        let response = try await client.execute(sent, deadline: .distantFuture)
        let body = try await response.body.collect(upTo: answerBytes)
        return (Int(response.status.code), Array(buffer: body))
      }
    } catch is Late {
      throw Unanswered(reason: "no answer within \(Int(timeout)) s")
    } catch is NIOTooManyBytesError {
      throw Unanswered(reason: "the answer has more than \(answerBytes) bytes")
    } catch let error as HTTPClientError {
      throw Unanswered(reason: "it could not be reached: \(error.shortDescription)")
    } catch {
      throw Unanswered(reason: "it could not be reached: \(String(describing: error).prefix(200))")
    }
  }
}

extension HTTPOutlet: ContextFetching {
  /// Seconds for one @context, redirects included.
  static let contextSeconds = 10.0

  public func fetch(_ url: String) async throws(Problem) -> FetchedContext { try await fetch(url, redirects: 3) }

  /// - Parameter redirects: how many are followed.
  public func fetch(_ url: String, redirects: Int) async throws(Problem) -> FetchedContext {
    do { return try await Self.within(Self.contextSeconds) { try await follow(url, redirects) } } catch let problem
      as Problem
    {
      throw problem
    } catch {
      throw Problem(.ldContextNotAvailable, "the @context \(url.prefix(200)) did not come in \(Self.contextSeconds) s")
    }
  }

  private func follow(_ url: String, _ redirects: Int) async throws(Problem) -> FetchedContext {
    let start = url.lowercased()
    guard start.hasPrefix("http://") || start.hasPrefix("https://") else {
      throw Problem(.ldContextNotAvailable, "the @context \(url.prefix(200)) is no http or https URL")
    }
    var next = url
    for _ in 0...redirects {
      var request = HTTPClientRequest(url: next)
      request.headers.add(name: "Accept", value: "application/ld+json, application/json;q=0.9")
      do {
        let response = try await client.execute(request, timeout: .seconds(10))
        if (300..<400).contains(response.status.code), let location = response.headers.first(name: "Location"),
          let target = URL(string: location, relativeTo: URL(string: next))?.absoluteString
        {
          next = target
          continue
        }
        guard response.status == .ok else {
          throw Problem(.ldContextNotAvailable, "the @context \(url.prefix(200)) answered \(response.status.code)")
        }
        var body = try await response.body.collect(upTo: Self.contextBytes)
        return FetchedContext(
          bytes: body.readBytes(length: body.readableBytes) ?? [],
          lifetime: Self.lifetime(response.headers))
      } catch let problem as Problem {
        throw problem
      } catch {
        throw Problem(.ldContextNotAvailable, "the @context \(url.prefix(200)) cannot be had")
      }
    }
    throw Problem(.ldContextNotAvailable, "the @context \(url.prefix(200)) redirects too often")
  }

  /// Seconds that an answer may be kept (RFC 9111 section 4.2.1; clause 6.3.16 of the standard): `s-maxage`,
  /// `max-age`, or the time between `Date` and `Expires`; 0 where it may not be kept, `nil` where nothing is said.
  static func lifetime(_ headers: HTTPHeaders) -> Double? {
    var directives: [String: String] = [:]
    for item in headers[canonicalForm: "Cache-Control"] {
      let parts = item.split(separator: "=", maxSplits: 1)
      let value = parts.count > 1 ? String(parts[1]).trimmingSpaces.replacing("\"", with: "") : ""
      directives[parts.first.map { $0.lowercased() } ?? ""] = value
    }
    if directives["no-store"] != nil || directives["no-cache"] != nil { return 0 }
    if let seconds = (directives["s-maxage"] ?? directives["max-age"]).flatMap(Double.init) { return max(0, seconds) }
    guard let expires = headers.first(name: "Expires") else { return nil }
    // A time that cannot be read has passed (section 5.3).
    guard let end = HTTPDate.seconds(expires) else { return 0 }
    let date = headers.first(name: "Date").flatMap(HTTPDate.seconds)
    return max(0, end - (date ?? Date().timeIntervalSince1970))
  }
}
