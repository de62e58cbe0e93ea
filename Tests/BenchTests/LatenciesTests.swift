import ChildProcess
import Foundation
import Testing

@testable import Bench

@Suite struct LatenciesTests {
  /// Against numpy, on samples that are skewed as latencies are.
  @Test(arguments: [1, 2, 3, 10, 999, 20_000])
  func percentilesAreNumpys(count: Int) throws {
    let numbers = (0..<count).map { index -> Int64 in
      let even = Double(Device.mix(UInt64(index)) >> 11) * 0x1p-53
      return Int64(80_000 - 400_000 * log(1 - even))
    }
    let shares = [0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1]
    guard let expected = try numpy(numbers, shares) else { return }
    let latencies = Latencies(numbers)
    for (share, value) in zip(shares, expected) {
      #expect(abs(latencies.percentile(share) - value / 1000) < 1e-6 * value / 1000, "percentile \(share) of \(count)")
    }
  }

  @Test func nothingMeasuredIsZero() { #expect(Latencies([]).percentile(0.5) == 0) }

  private func numpy(_ numbers: [Int64], _ shares: [Double]) throws -> [Double]? {
    let folder = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "oracles")
    let python = folder.appending(path: ".venv/bin/python")
    guard FileManager.default.isExecutableFile(atPath: python.path) else {
      print("skipped: percentilesAreNumpys, the oracle environment \(python.path) is absent (make setup)")
      return nil
    }
    let process = ChildProcess()
    process.executableURL = python
    process.arguments = [folder.appending(path: "percentiles.py").path]
    let given = Pipe()
    let answer = Pipe()
    process.standardInput = given
    process.standardOutput = answer
    try process.run()
    let input: [String: Any] = ["numbers": numbers, "shares": shares]
    try given.fileHandleForWriting.write(contentsOf: JSONSerialization.data(withJSONObject: input))
    try given.fileHandleForWriting.close()
    let output = try answer.fileHandleForReading.readToEnd() ?? Data()
    process.waitUntilExit()
    return try JSONDecoder().decode([Double].self, from: output)
  }
}
