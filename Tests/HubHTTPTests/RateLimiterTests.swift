import Foundation
import Hub
import NGSI
import NIOHTTP1
import Synchronization
import Testing

@testable import HubHTTP

/// Who asks too often is held back, and nobody else.
// Clauses: none: the standard knows no limits of requests
@Suite struct RateLimiterTests {
  private final class SetClock: Sendable {
    private let time = Mutex<Int64>(5_000_000_000)

    var now: Int64 { time.withLock { $0 } }

    func pass(_ seconds: Double) { time.withLock { $0 += Int64(seconds * 1e9) } }
  }

  private let clock = SetClock()

  private func limiter(
    reads: Double = 10, writes: Double = 1, seconds: Double = 3, shards: Int = 32, sets: Int = 256
  ) -> RateLimiter {
    func rates(_ perSecond: Double) -> [RequestRates.Kind: RequestRates.Rate] {
      var rates: [RequestRates.Kind: RequestRates.Rate] = [:]
      for kind in RequestRates.Kind.allCases { rates[kind] = .init(perSecond: perSecond, seconds: seconds) }
      return rates
    }
    let clock = clock
    return RateLimiter(
      RequestRates(reads: rates(reads), writes: rates(writes)), shards: shards, setsOfShard: sets,
      now: { clock.now })
  }

  private static func allowed(_ count: Int, _ body: () -> RateLimiter.Outcome?) -> Int {
    (0..<count).count { _ in body()?.isAllowed ?? true }
  }

  @Test func aBucketEmptiesAndFillsAgain() {
    let limiter = limiter()
    let kim = Caller(.person, id: "kim")
    func ask(_ count: Int) -> Int {
      Self.allowed(count) { limiter.take(kim, source: "192.0.2.1", isWrite: false) }
    }
    #expect(ask(100) == 30 && ask(10) == 0)
    clock.pass(0.1)
    #expect(ask(10) == 1)
    clock.pass(1)
    #expect(ask(100) == 10)
    clock.pass(1000)
    #expect(ask(100) == 30)
    // Others, and the same one's writes, are counted apart.
    let others = [Caller(.person, id: "lee"), Caller(.client, id: "kim"), Caller(.device, id: "kim")]
    for other in others {
      #expect(Self.allowed(100) { limiter.take(other, source: "192.0.2.1", isWrite: false) } == 30)
    }
    var north = Caller(.device, id: "kim")
    north.tenants = ["north"]
    #expect(Self.allowed(100) { limiter.take(north, source: nil, isWrite: false) } == 30)
    #expect(Self.allowed(100) { limiter.take(kim, source: "192.0.2.1", isWrite: true) } == 3)
    #expect(Self.allowed(100) { limiter.take(.city, source: nil, isWrite: true) } == 100)
  }

  @Test func itAgreesWithABucketThatIsCountedPlainly() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<50 {
      let rate = Double(Int.random(in: 1...40, using: &generator)) / 4
      let limiter = limiter(reads: rate, seconds: Double(Int.random(in: 1...8, using: &generator)))
      let most = max(1, rate * (limiter.rates.reads[.source]?.seconds ?? 0))
      var left = most
      for _ in 0..<200 {
        let pause = Double(Int.random(in: 0...16, using: &generator)) / 16
        clock.pass(pause)
        left = min(most, left + pause * rate)
        let isAllowed = left >= 1 - 1e-6
        if isAllowed { left -= 1 }
        let outcome = limiter.take(source: "192.0.2.1", isWrite: false)
        #expect(outcome?.isAllowed == isAllowed)
        // What is told is what is left, but for what rounding leaves of a whole request.
        if let outcome, isAllowed { #expect(abs(Double(outcome.left) - left) <= 1) }
      }
    }
  }

  @Test func addressesCountByWhoHoldsThem() {
    let limiter = limiter()
    func isRoom(_ source: String?) -> Bool { limiter.take(source: source, isWrite: true)?.isAllowed ?? true }
    for _ in 0..<3 { #expect(isRoom("2001:db8:0:1::1")) }
    #expect(!isRoom("2001:db8:0:1::1") && !isRoom("2001:db8:0:1:ffff::9") && !isRoom("2001:DB8::1:0:0:0:2"))
    #expect(isRoom("2001:db8:0:2::1"))
    for _ in 0..<3 { #expect(isRoom("192.0.2.7")) }
    #expect(!isRoom("192.0.2.7") && !isRoom("::ffff:192.0.2.7") && isRoom("192.0.2.8"))
    #expect(isRoom(nil) && isRoom("no:address"))
  }

  @Test func memoryIsBoundedAndNobodyGetsRidOfHisBucket() {
    let limiter = limiter(shards: 2, sets: 4)
    #expect(limiter.bound == 64)
    let busy = Caller(.client, id: "busy")
    #expect(Self.allowed(100) { limiter.take(busy, source: nil, isWrite: false) } == 30)
    for number in 0..<10_000 { _ = limiter.take(source: "192.0.2.\(number)", isWrite: false) }
    #expect(limiter.count <= limiter.bound)
    #expect(Self.allowed(10) { limiter.take(busy, source: nil, isWrite: false) } == 0)
    clock.pass(1000)
    #expect(limiter.count == 0 && limiter.health["refused"]?.integer == 80)
  }

  @Test func wrongProofsAreHeldBackByThemselves() {
    let limiter = limiter()
    for _ in 0..<30 {
      #expect(limiter.refusalForWrongProofs(from: "192.0.2.1") == nil)
      limiter.noteWrongProof(from: "192.0.2.1")
    }
    #expect(limiter.refusalForWrongProofs(from: "192.0.2.1")?.isAllowed == false)
    #expect(limiter.refusalForWrongProofs(from: "192.0.2.2") == nil)
    clock.pass(1)
    #expect(limiter.refusalForWrongProofs(from: "192.0.2.1") == nil)
  }

  @Test func theRefusalSaysWhenToComeAgain() throws {
    let limiter = limiter(writes: 0.25, seconds: 8)
    let client = Caller(.client, id: "a")
    let first = try #require(limiter.take(client, source: nil, isWrite: true))
    #expect(first.fields.map(\.value) == ["\"client-writes\";q=2;w=8", "\"client-writes\";r=1;t=4"])
    _ = limiter.take(client, source: nil, isWrite: true)
    let refused = try #require(limiter.take(client, source: nil, isWrite: true))
    #expect(refused.response.status == 429 && refused.response.headers["Retry-After"] == ["4"])
    #expect(refused.response.headers["RateLimit"] == ["\"client-writes\";r=0;t=4"])
    let body = try JSONParser.parse(refused.response.body)
    #expect(body["status"]?.integer == 429 && body["violated-policies"] == ["client-writes"])
    clock.pass(4)
    #expect(limiter.take(client, source: nil, isWrite: true)?.isAllowed == true)
  }

  /// Prints what a request costs; a bound would be the machine's, not ours.
  @Test func takingCostsLittle() {
    let limiter = RateLimiter(.standard)
    let callers = (0..<256).map { Caller(.client, id: "program-\($0)") }
    let count = 200_000
    let start = RateLimiter.monotonic()
    for number in 0..<count { _ = limiter.take(callers[number & 255], source: nil, isWrite: false) }
    let each = Double(RateLimiter.monotonic() - start) / Double(count)
    print("rate limits: \(Int(each)) ns a request")
    #expect(limiter.count <= limiter.bound)
  }
}
