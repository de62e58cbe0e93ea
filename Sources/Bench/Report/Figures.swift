/// What was measured in one point. Times are in microseconds.
public struct Figures: Codable, Sendable {
  public var seconds: Double
  public var operations: Int
  /// Operations a second.
  public var perSecond: Double
  /// Processor time of the server for one operation; absent where its process is not known.
  public var cpu: Double?
  public var p50: Double
  public var p99: Double
  public var max: Double
  /// Answers other than success, and how the first of them began.
  public var failures = 0
  public var firstFailure: String?

  init(seconds: Double, operations: Int, processorTime: Int64?, latencies: Latencies) {
    self.seconds = rounded(seconds)
    self.operations = operations
    perSecond = seconds > 0 ? rounded(Double(operations) / seconds) : 0
    cpu = operations > 0 ? processorTime.map { rounded(Double($0) / 1000 / Double(operations)) } : nil
    p50 = rounded(latencies.percentile(0.5))
    p99 = rounded(latencies.percentile(0.99))
    max = rounded(latencies.percentile(1))
  }

  init(_ outcome: Load.Outcome) {
    self.init(
      seconds: outcome.seconds, operations: outcome.latencies.count, processorTime: outcome.processorTime,
      latencies: outcome.latencies)
    failures = outcome.failures
    firstFailure = outcome.firstFailure
  }

  /// These figures divided by an anchor's: how many times the floor.
  func ratio(to anchor: Figures) -> Ratio {
    func divided(_ over: Double?, _ under: Double?) -> Double? {
      guard let over, let under, under > 0 else { return nil }
      return rounded(over / under)
    }
    return Ratio(
      cpu: divided(cpu, anchor.cpu), p50: divided(p50, anchor.p50), p99: divided(p99, anchor.p99),
      perSecond: divided(perSecond, anchor.perSecond))
  }
}

/// The hub's figures divided by those of an anchor in the same run.
public struct Ratio: Codable, Sendable {
  public var cpu: Double?
  public var p50: Double?
  public var p99: Double?
  public var perSecond: Double?
}

/// To three decimals, as far as a measurement of this kind reaches.
func rounded(_ value: Double) -> Double { (value * 1000).rounded() / 1000 }
