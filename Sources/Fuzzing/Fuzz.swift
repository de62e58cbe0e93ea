import Foundation
import NGSI

/// Many seeded inputs against one parser: an answer or a problem, quickly, within bounds, never a crash.
///
/// `MADANG_FUZZ=N` tries N inputs for each parser instead of the short default; `MADANG_FUZZ_SEED` starts elsewhere.
///
/// ```swift
/// let outcome = Fuzz().run { Mutation.text(&$0, seeds, tokens) } parse: { _ = try Filter(q: $0, context: context) }
/// #expect(outcome.findings.isEmpty && outcome.isTelling)
/// ```
public struct Fuzz: Sendable {
  public struct Outcome: Sendable {
    public var tried = 0
    /// Inputs that were taken; the others were refused.
    public var taken = 0
    /// What is wrong, with the input that shows it.
    public var findings: [String] = []

    /// Inputs that are all refused at the first character would prove little.
    public var isTelling: Bool { taken > tried / 200 }
  }

  private static let environment = ProcessInfo.processInfo.environment
  private static let shortCount = 20_000
  /// Whether this is the long form, which has the process to itself.
  private static var isLong: Bool { environment["MADANG_FUZZ"] != nil }
  /// Inputs after which memory is looked at.
  private static let block = 256
  private static let mostFindings = 20

  public let count: Int
  private let seed = Self.environment["MADANG_FUZZ_SEED"].flatMap(UInt64.init) ?? 42
  /// No single input may take more processor time: what other processes take meanwhile is not its fault.
  private let patience = 2.0
  /// No block of inputs may take more memory than this at its worst, in kB. Beside other tests the figure is theirs too.
  private let allowance = isLong ? 96 << 10 : 1 << 20

  /// - Parameter share: how many of the short form's inputs are tried; less for what takes long.
  public init(share: Double = 1) {
    count = Self.environment["MADANG_FUZZ"].flatMap(Int.init) ?? Int(Double(Self.shortCount) * share)
  }

  /// - Parameters:
  ///   - make: the next input.
  ///   - parse: throws a ``Problem``, or what `isRefusal` knows, to refuse it.
  public func run<Input>(
    _ make: (inout Seeded) -> Input, isRefusal: (any Error) -> Bool = { _ in false }, parse: (Input) throws -> Void
  ) -> Outcome {
    var random = Seeded(seed)
    var outcome = Outcome()
    var blockStart = Memory.resident
    Memory.resetPeak()
    while outcome.tried < count, outcome.findings.count < Self.mostFindings {
      let input = make(&random)
      outcome.tried += 1
      let began = Self.processorSeconds
      do {
        try parse(input)
        outcome.taken += 1
      } catch let problem as Problem {
        if problem.kind == .internalError { outcome.findings.append("\(shown(input)): \(problem.detail)") }
      } catch  where isRefusal(error) {
      } catch { outcome.findings.append("\(shown(input)): \(error)") }
      let time = Self.processorSeconds - began
      if time > patience { outcome.findings.append("\(shown(input)) took \(time) s") }
      guard outcome.tried % Self.block == 0 else { continue }
      if let peak = Memory.peak, let start = blockStart, peak - start > allowance {
        outcome.findings.append(
          "inputs \(outcome.tried - Self.block) to \(outcome.tried) of seed \(seed) took \((peak - start) >> 10) MB")
      }
      blockStart = Memory.resident
      Memory.resetPeak()
    }
    return outcome
  }

  /// Processor time of this thread.
  private static var processorSeconds: Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private func shown(_ input: some Any) -> String {
    let text = if let json = input as? JSON { JSONWriter.text(json) } else { "\(input)".debugDescription }
    return String(text.prefix(4_000))
  }
}

/// What the system says of this process, in kB; `nil` where it says nothing.
private enum Memory {
  static var resident: Int? { value("VmRSS") }
  static var peak: Int? { value("VmHWM") }

  /// The peak begins anew.
  static func resetPeak() { try? Data("5".utf8).write(to: URL(fileURLWithPath: "/proc/self/clear_refs")) }

  private static func value(_ name: String) -> Int? {
    guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8) else { return nil }
    for line in text.split(separator: "\n") where line.hasPrefix(name) {
      return line.split { $0 == " " || $0 == "\t" || $0 == ":" }.dropFirst().first.flatMap { Int($0) }
    }
    return nil
  }
}
