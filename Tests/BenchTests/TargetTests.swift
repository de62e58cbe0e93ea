import Testing

@testable import Bench

@Suite struct TargetTests {
  private func point(_ operation: HubOperation, clients: Int, cpu: Double?, perSecond: Double) -> Report.Point {
    var figures = Figures(seconds: 1, operations: 1, processorTime: nil, latencies: Latencies([]))
    figures.cpu = cpu
    figures.perSecond = perSecond
    return Report.Point(
      operation: operation, entities: 10_000, clients: clients, entitiesPerOperation: operation.entitiesPerOperation,
      figures: figures)
  }

  private func result(_ point: Report.Point, http: Double?) -> TargetResult? {
    Target.all.lazy.compactMap { $0.result(point, http: http) }.first
  }

  /// 60 µs miss 45, but where nginx takes 18 instead of 9 the same work may take 90.
  @Test func processorTimeIsJudgedBesideTheAnchor() throws {
    let slow = point(.get, clients: 1, cpu: 60, perSecond: 10_000)
    #expect(result(slow, http: nil)?.isMet == false)
    let scaled = try #require(result(slow, http: 18))
    #expect(scaled.isMet && !scaled.isMetUnscaled && scaled.limitHere == 90 && scaled.limit == 45)
    #expect(result(point(.get, clients: 1, cpu: nil, perSecond: 1), http: 9) == nil)
  }

  @Test func rowsASecondCountEntities() {
    #expect(result(point(.batch, clients: 1, cpu: 1, perSecond: 39.9), http: 9)?.isMet == false)
    #expect(result(point(.batch, clients: 1, cpu: 1, perSecond: 40.1), http: 9)?.isMet == true)
    #expect(result(point(.patch, clients: 16, cpu: 1, perSecond: 1), http: 9) == nil)
    #expect(result(point(.patch, clients: 64, cpu: 1, perSecond: 3999), http: 9)?.isMet == false)
  }
}
