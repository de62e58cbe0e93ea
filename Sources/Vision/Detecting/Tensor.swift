/// What comes out of a network: numbers in the order of the last dimension first.
public struct Tensor: Sendable {
  public var shape: [Int]
  public var values: [Float]

  /// `nil` where the numbers are not as many as the shape says.
  public init?(shape: [Int], values: [Float]) {
    var count = 1
    for size in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: size)
      guard size >= 0, !overflow else { return nil }
      count = product
    }
    guard count == values.count else { return nil }
    self.shape = shape
    self.values = values
  }
}
