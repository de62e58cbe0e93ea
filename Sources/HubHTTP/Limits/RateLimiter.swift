import Glibc
import Hub
import NGSI
import Synchronization

/// How often somebody may ask, reading and writing counted apart.
public struct RequestRates: Sendable, Hashable {
  /// Requests a second, and seconds' worth of them that may come at once.
  public struct Rate: Sendable, Hashable {
    public var perSecond: Double
    public var seconds: Double

    public init(perSecond: Double, seconds: Double) {
      self.perSecond = perSecond
      self.seconds = seconds
    }

    /// Requests that may come at once.
    var most: Double { max(1, perSecond * seconds) }
    /// Nanoseconds that one request stands for.
    var pause: Double { 1e9 / perSecond }
  }

  /// Whose requests are counted together.
  public enum Kind: String, Sendable, Hashable, CaseIterable {
    case person, client, device
    /// An address, for who shows nothing; of IPv6 the first 64 bits, which one holder has.
    case source

    /// Among all.
    var place: Int {
      switch self {
      case .person: 0
      case .client: 1
      case .device: 2
      case .source: 3
      }
    }
  }

  public var reads: [Kind: Rate]
  public var writes: [Kind: Rate]

  public init(reads: [Kind: Rate], writes: [Kind: Rate]) {
    self.reads = reads
    self.writes = writes
  }

  /// What cities have whose manifest says nothing else.
  public static let standard: RequestRates = {
    func rates(_ numbers: [Kind: Double]) -> [Kind: Rate] { numbers.mapValues { Rate(perSecond: $0, seconds: 10) } }
    return RequestRates(
      reads: rates([.person: 50, .client: 500, .device: 20, .source: 100]),
      writes: rates([.person: 20, .client: 250, .device: 20, .source: 50]))
  }()
}

/// Holds back who asks too often: a token bucket for each caller (the generic cell rate algorithm of ITU-T I.371).
///
/// There is a fixed number of buckets, in sets of ``ways``: a caller who has none takes that of the caller in his set who
/// has asked least, so that nobody gets rid of his own by making others. Taking costs some hundred nanoseconds and allocates
/// nothing.
public final class RateLimiter: Sendable {
  /// What came of a request.
  public struct Outcome: Sendable {
    /// Kind of caller and of request: `client-reads`.
    let policy: Policy
    /// Requests that may follow at once.
    let left: Int
    /// Until the next one may come, where none is left; otherwise until the bucket is full.
    let nanoseconds: Double

    public var isAllowed: Bool { left >= 0 }
  }

  /// A policy as the header fields name it.
  final class Policy: Sendable {
    let name: String
    let rate: RequestRates.Rate
    /// For `RateLimit-Policy`.
    let text: String

    init(_ kind: RequestRates.Kind, _ what: String, _ rate: RequestRates.Rate) {
      name = kind.rawValue + "-" + what
      self.rate = rate
      text = "\"\(name)\";q=\(Int(rate.most));w=\(max(1, Int(rate.seconds.rounded(.up))))"
    }
  }

  private struct Bucket {
    /// 0 for nobody's.
    var key: UInt64 = 0
    /// When it will be full again, nanoseconds.
    var fullAt: Int64 = 0
  }

  private final class Shard: Sendable {
    let buckets: Mutex<[Bucket]>

    init(count: Int) { buckets = Mutex(Array(repeating: Bucket(), count: count)) }
  }

  static let ways = 8
  /// Wrong tokens that one address may show: 30 at once, then one a second. Who has shown more is not looked at.
  static let wrongProofs = RequestRates.Rate(perSecond: 1, seconds: 30)

  public let rates: RequestRates
  /// By ``RequestRates/Kind/place``.
  private let reads: [Policy?]
  private let writes: [Policy?]
  private let wrong = Policy(.source, "wrong-proofs", wrongProofs)
  private let shards: [Shard]
  private let setsOfShard: Int
  private let refused = Atomic<Int>(0)
  private let now: @Sendable () -> Int64

  /// - Parameters:
  ///   - shards, setsOfShard: powers of two; each set has ``ways`` buckets of 16 bytes.
  ///   - now: nanoseconds since whenever.
  public init(
    _ rates: RequestRates, shards: Int = 32, setsOfShard: Int = 256,
    now: @escaping @Sendable () -> Int64 = RateLimiter.monotonic
  ) {
    self.rates = rates
    self.now = now
    self.setsOfShard = setsOfShard
    self.shards = (0..<shards).map { _ in Shard(count: setsOfShard * Self.ways) }
    let kinds = RequestRates.Kind.allCases
    reads = kinds.map { kind in rates.reads[kind].map { Policy(kind, "reads", $0) } }
    writes = kinds.map { kind in rates.writes[kind].map { Policy(kind, "writes", $0) } }
  }

  public static let monotonic: @Sendable () -> Int64 = {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) &* 1_000_000_000 &+ Int64(time.tv_nsec)
  }

  // MARK: Asking

  /// Takes a request out of the bucket of its caller.
  ///
  /// - Returns: `nil` where nothing is counted.
  public func take(_ caller: Caller, source: String?, isWrite: Bool) -> Outcome? {
    let kind: RequestRates.Kind
    switch caller.kind {
    case .person: kind = .person
    case .client: kind = .client
    case .device: kind = .device
    case .nobody: return take(source: source, isWrite: isWrite)
    case .city, .adapter: return nil
    }
    guard let policy = isWrite ? writes[kind.place] : reads[kind.place] else { return nil }
    var hasher = Hasher()
    hasher.combine(kind)
    hasher.combine(isWrite)
    hasher.combine(caller.id)
    // Two tenants may have devices of one name.
    if kind == .device, let tenant = caller.tenants.first { hasher.combine(tenant) }
    return counted(take(hasher, policy))
  }

  /// Takes a request of somebody of whom only the address is known.
  public func take(source: String?, isWrite: Bool) -> Outcome? {
    guard let policy = (isWrite ? writes : reads)[RequestRates.Kind.source.place] else { return nil }
    var hasher = Hasher()
    hasher.combine(isWrite)
    Self.combine(source, &hasher)
    return counted(take(hasher, policy))
  }

  /// Notes that an address has shown a proof that is none.
  public func noteWrongProof(from source: String?) { _ = take(wrongHasher(source), wrong) }

  /// What an address is told that has shown too many wrong proofs; `nil` for all others.
  public func refusalForWrongProofs(from source: String?) -> Outcome? {
    let outcome = take(wrongHasher(source), wrong, keeps: false)
    return outcome.isAllowed ? nil : counted(outcome)
  }

  private func wrongHasher(_ source: String?) -> Hasher {
    var hasher = Hasher()
    hasher.combine(UInt8(2))
    Self.combine(source, &hasher)
    return hasher
  }

  private func counted(_ outcome: Outcome) -> Outcome {
    if !outcome.isAllowed { refused.add(1, ordering: .relaxed) }
    return outcome
  }

  /// The address as it counts: an IPv6 address by its first 64 bits, one that stands for an IPv4 address as that.
  static func combine(_ source: String?, _ hasher: inout Hasher) {
    guard let source, source.utf8.contains(UInt8(ascii: ":")) else { return hasher.combine(source ?? "") }
    var address = in6_addr()
    guard inet_pton(AF_INET6, source, &address) == 1 else { return hasher.combine(source) }
    withUnsafeBytes(of: &address) { bytes in
      let isMapped = bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 0xFF && bytes[11] == 0xFF
      if isMapped {
        hasher.combine(bytes[12...].map { String($0) }.joined(separator: "."))
      } else {
        hasher.combine(bytes: UnsafeRawBufferPointer(rebasing: bytes[..<8]))
      }
    }
  }

  private func take(_ hasher: consuming Hasher, _ policy: Policy, keeps: Bool = true) -> Outcome {
    let hash = UInt64(bitPattern: Int64(hasher.finalize()))
    let key = hash == 0 ? 1 : hash
    let time = now()
    let shard = shards[Int(truncatingIfNeeded: hash) & (shards.count - 1)]
    let first = (Int(truncatingIfNeeded: hash >> 16) & (setsOfShard - 1)) * Self.ways
    let pause = policy.rate.pause
    let room = policy.rate.most * pause
    return shard.buckets.withLock { buckets in
      var place = first
      var isKnown = false
      for index in first..<first + Self.ways {
        if buckets[index].key == key {
          place = index
          isKnown = true
          break
        }
        if buckets[index].fullAt < buckets[place].fullAt { place = index }
      }
      let fullAt = isKnown ? max(buckets[place].fullAt, time) : time
      let after = Double(fullAt - time) + pause
      guard after <= room + 0.5 else {
        return Outcome(policy: policy, left: -1, nanoseconds: after - room)
      }
      if keeps { buckets[place] = Bucket(key: key, fullAt: time + Int64(after)) }
      return Outcome(policy: policy, left: Int((room - after + 0.5) / pause), nanoseconds: after)
    }
  }

  // MARK: Figures

  /// Buckets that are not full.
  public var count: Int {
    let time = now()
    return shards.reduce(0) { sum, shard in
      sum + shard.buckets.withLock { buckets in buckets.count { $0.key != 0 && $0.fullAt > time } }
    }
  }

  public var bound: Int { shards.count * setsOfShard * Self.ways }

  /// A section of the health report.
  public var health: JSON {
    [
      "buckets": ["value": .integer(Int64(count)), "bound": .integer(Int64(bound))],
      "refused": .integer(Int64(refused.load(ordering: .relaxed))),
    ]
  }
}
