/// Pairs of rows and columns with the least sum of costs (Hungarian method, successive shortest paths with potentials,
/// O(rows² · columns)).
///
/// - Parameter cost: a row of costs each; all rows of one length, all finite.
/// - Returns: the column of each row, `nil` where there are more rows than columns.
public func leastCostAssignment(_ cost: [[Double]]) -> [Int?] {
  guard let columns = cost.first?.count, columns > 0 else { return cost.map { _ in nil } }
  guard cost.count <= columns else {
    let turned = (0..<columns).map { column in cost.map { $0[column] } }
    var rows = [Int?](repeating: nil, count: cost.count)
    for (column, row) in leastCostAssignment(turned).enumerated() {
      if let row { rows[row] = column }
    }
    return rows
  }
  // Index 0 stands for "none"; rows and columns count from 1.
  var rowPotential = [Double](repeating: 0, count: cost.count + 1)
  var columnPotential = [Double](repeating: 0, count: columns + 1)
  var rowOf = [Int](repeating: 0, count: columns + 1)
  for row in 1...cost.count {
    rowOf[0] = row
    var column = 0
    var least = [Double](repeating: .infinity, count: columns + 1)
    var before = [Int](repeating: 0, count: columns + 1)
    var isUsed = [Bool](repeating: false, count: columns + 1)
    repeat {
      isUsed[column] = true
      let current = rowOf[column]
      var (step, next) = (Double.infinity, 0)
      for candidate in 1...columns where !isUsed[candidate] {
        let reduced = cost[current - 1][candidate - 1] - rowPotential[current] - columnPotential[candidate]
        if reduced < least[candidate] { (least[candidate], before[candidate]) = (reduced, column) }
        if least[candidate] < step { (step, next) = (least[candidate], candidate) }
      }
      for index in 0...columns {
        if isUsed[index] {
          rowPotential[rowOf[index]] += step
          columnPotential[index] -= step
        } else {
          least[index] -= step
        }
      }
      column = next
    } while rowOf[column] != 0
    while column != 0 {
      rowOf[column] = rowOf[before[column]]
      column = before[column]
    }
  }
  var result = [Int?](repeating: nil, count: cost.count)
  for column in 1...columns where rowOf[column] != 0 { result[rowOf[column] - 1] = column - 1 }
  return result
}
