import Testing

@testable import Hub

// Clauses: none: sending within bounds is our own
@Suite struct PlacesTests {
  @Test func oneEndpointAndTroubledOnesLeaveRoom() async {
    let places = Places(16)
    #expect(places.endpointBound == 2)
    for _ in 0..<2 { #expect(await places.enter("a", isTroubled: false)) }
    let third = Task { await places.enter("a", isTroubled: false) }
    #expect(await places.enter("b", isTroubled: false))
    for endpoint in 0..<8 { #expect(await places.enter("t\(endpoint)", isTroubled: true)) }
    let ninth = Task { await places.enter("t9", isTroubled: true) }
    #expect(await places.enter("c", isTroubled: false))
    #expect(places.taken == 12)
    places.leave("a", isTroubled: false)
    #expect(await third.value)
    places.leave("t0", isTroubled: true)
    #expect(await ninth.value)
    #expect(places.taken == 12)
  }

  @Test func closingSendsAllAway() async {
    let places = Places(1)
    #expect(await places.enter("a", isTroubled: false))
    let waiting = (0..<20).map { number in Task { await places.enter("e\(number % 3)", isTroubled: false) } }
    places.close()
    for task in waiting { #expect(await task.value == false) }
    #expect(await places.enter("b", isTroubled: false) == false)
  }

  @Test func backOffGrowsToAMinute() {
    #expect([1, 2, 3, 4, 20].map(Notifier.backOff) == [0.5, 1, 2, 4, 60])
  }
}
