import Hub
import NGSI
import NIOHTTP1

// What a caller hears of his limits: draft-ietf-httpapi-ratelimit-headers-10 and RFC 9457.
extension RateLimiter.Outcome {
  /// Whether less than a quarter is left, which the caller is told with each answer from then on.
  var isLow: Bool { Double(left) < policy.rate.most / 4 }

  /// The fields `RateLimit-Policy` and `RateLimit`.
  public var fields: [(name: String, value: String)] {
    [
      ("RateLimit-Policy", policy.text),
      ("RateLimit", "\"\(policy.name)\";r=\(max(0, left));t=\(seconds)"),
    ]
  }

  /// Seconds until the next request may come, or the bucket is full again.
  private var seconds: Int { max(1, Int((nanoseconds / 1e9).rounded(.up))) }

  /// Header fields and body of the refusal.
  public var refusal: (fields: [(name: String, value: String)], body: [UInt8]) {
    let detail =
      "\(policy.name): \(Self.text(policy.rate.perSecond)) requests a second, \(Int(policy.rate.most)) at once; "
      + "come again in \(seconds) s"
    let body: JSON = [
      "type": "https://iana.org/assignments/http-problem-types#quota-exceeded", "title": "Too many requests",
      "status": 429, "detail": .string(detail), "violated-policies": [.string(policy.name)],
    ]
    return (
      [("Content-Type", "application/problem+json"), ("Cache-Control", "no-store"), ("Retry-After", "\(seconds)")]
        + fields, JSONWriter.bytes(body)
    )
  }

  private static func text(_ number: Double) -> String {
    number == number.rounded() ? "\(Int(number))" : "\(number)"
  }

  var response: APIResponse {
    let (fields, body) = refusal
    return APIResponse(status: 429, headers: HTTPHeaders(fields.map { ($0.name, $0.value) }), body: body)
  }
}

extension HubDoors {
  /// Says who comes, on the connection's event loop, and holds back who comes too often.
  ///
  /// A proof that cannot be judged at once, or is none, is left to ``answer(_:at:isSecure:)``.
  ///
  /// - Parameter shown: what the connection's requests showed before.
  /// - Returns: the refusal; `nil` where the request may come in.
  func admit(_ request: inout APIRequest, at door: Door, _ shown: inout ShownProof?) -> APIResponse? {
    if trustsForwarded { request.remote = Self.forwarded(request.headers) ?? request.remote }
    guard let keeper, door != .enrolment, door != .agencies else {
      return count(request.peer.map(Caller.init) ?? .nobody, &request)
    }
    guard let caller = keeper.known(request, &shown) else {
      if let refusal = limiter?.refusalForWrongProofs(from: request.remote) { return refusal.response }
      guard let caller = try? keeper.caller(of: request) else { return nil }
      request.caller = caller
      return count(caller, &request)
    }
    request.caller = caller
    return count(caller, &request)
  }

  /// Counts a request whose caller is known.
  func count(_ caller: Caller, _ request: inout APIRequest) -> APIResponse? {
    guard let limiter else { return nil }
    request.quota = limiter.take(caller, source: request.remote, isWrite: API.brings(request))
    guard let quota = request.quota, !quota.isAllowed else { return nil }
    return quota.response
  }

  /// The answer with what is left of the caller's requests, where that is little.
  func telling(_ response: APIResponse, _ request: APIRequest) -> APIResponse {
    guard let quota = request.quota, quota.isLow else { return response }
    var response = response
    for (name, value) in quota.fields { response.headers.add(name: name, value: value) }
    return response
  }

  /// The address that the proxy before the city names last.
  private static func forwarded(_ headers: HTTPHeaders) -> String? {
    guard let last = headers["X-Forwarded-For"].last?.split(separator: ",").last else { return nil }
    let address = last.drop { $0 == " " }.prefix { $0 != " " }
    return address.isEmpty ? nil : String(address.prefix(64))
  }
}
