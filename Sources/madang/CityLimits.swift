import City
import HTTPTypes
import HubHTTP
import Hummingbird

/// How often the city may be asked.
enum CityLimits {
  /// - Parameter isOpen: whether everybody may do everything; then only what the manifest says counts, by address.
  /// - Returns: `nil` where nobody is held back.
  static func limiter(_ asked: Manifest.Limits.Requests?, isOpen: Bool) -> RateLimiter? {
    var rates = isOpen ? RequestRates(reads: [:], writes: [:]) : .standard
    let kinds: [(RequestRates.Kind, Manifest.Limits.Requests.Rate?)] = [
      (.person, asked?.person), (.client, asked?.client), (.device, asked?.device), (.source, asked?.source),
    ]
    for case (let kind, let rate?) in kinds {
      func put(_ perSecond: Double?, _ known: inout [RequestRates.Kind: RequestRates.Rate]) {
        guard let perSecond = perSecond ?? known[kind]?.perSecond else { return }
        known[kind] = RequestRates.Rate(perSecond: perSecond, seconds: rate.seconds ?? 10)
      }
      put(rate.reads, &rates.reads)
      put(rate.writes, &rates.writes)
    }
    return rates.reads.isEmpty && rates.writes.isEmpty ? nil : RateLimiter(rates)
  }
}

/// Holds back addresses that ask for pages too often, the doors of the identity provider among them.
struct LimitedPages: RouterMiddleware {
  typealias Context = CityContext

  let limiter: RateLimiter
  let isBehindProxy: Bool

  func handle(
    _ request: Request, context: Context, next: (Request, Context) async throws -> Response
  ) async throws -> Response {
    let isWrite = ![.get, .head, .options].contains(request.method)
    let source = request.source(context, isBehindProxy: isBehindProxy)
    // The evidence log is files for whoever watches it, and statements that show by their signatures whose they are.
    if request.uri.path.hasPrefix("/log/") {
      if isWrite, let outcome = limiter.refusalForWrongProofs(from: source) { return Self.refusal(outcome) }
      let response = try await next(request, context)
      if isWrite, response.status == .badRequest { limiter.noteWrongProof(from: source) }
      return response
    }
    guard let outcome = limiter.take(source: source, isWrite: isWrite), !outcome.isAllowed else {
      return try await next(request, context)
    }
    return Self.refusal(outcome)
  }

  private static func refusal(_ outcome: RateLimiter.Outcome) -> Response {
    let (fields, body) = outcome.refusal
    var headers = HTTPFields()
    for (name, value) in fields { if let name = HTTPField.Name(name) { headers[name] = value } }
    return Response(
      status: .tooManyRequests, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: body)))
  }
}

extension Request {
  /// The address that it comes from: behind a proxy the one that the proxy names last.
  func source(_ context: CityContext, isBehindProxy: Bool) -> String {
    guard isBehindProxy, let name = HTTPField.Name("X-Forwarded-For"),
      let last = headers[values: name].last?.split(separator: ",").last
    else { return context.source }
    let address = last.drop { $0 == " " }.prefix { $0 != " " }
    return address.isEmpty ? context.source : String(address.prefix(64))
  }
}
