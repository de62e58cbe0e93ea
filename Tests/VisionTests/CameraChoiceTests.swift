import Testing
import Vision

@Suite struct CameraChoiceTests {
  typealias Camera = CameraChoice.Camera
  /// A hundred metres are about 0.0009 degrees of latitude.
  private let gate = CameraChoice.Place(longitude: 126.98, latitude: 37.5)
  private let choice = CameraChoice()

  private func camera(
    _ id: String, north: Double = 0, bearing: Double? = nil, state: StreamHealth.State = .running,
    sinceLooked: Double? = 0
  ) -> Camera {
    Camera(
      id: id, place: CameraChoice.Place(longitude: gate.longitude, latitude: gate.latitude + north / 111_195),
      bearing: bearing, state: state, sinceLooked: sinceLooked)
  }

  private func incident(_ severity: Int = 2, cameras: Set<String> = []) -> CameraChoice.Incident {
    CameraChoice.Incident(id: "i1", place: gate, severity: severity, sounds: true, cameras: cameras)
  }

  @Test func whoLooksAtThePlaceComesFirst() {
    let ranked = choice.ranked(
      cameras: [
        camera("away", north: 60, bearing: 0), camera("towards", north: 60, bearing: 180), camera("far", north: 900),
        camera("reporter", north: 400),
      ], incidents: [incident(cameras: ["reporter"])], events: [], most: 10)
    #expect(ranked.map(\.camera) == ["reporter", "towards", "away"])
    #expect(
      ranked.map(\.reasons) == [
        [.reported(incident: "i1")], [.sees(incident: "i1", metres: 60)], [.near(incident: "i1", metres: 60)],
      ])
  }

  @Test func anUncertainPlaceWidensWhatACameraMaySee() {
    let side = camera("side", north: 60, bearing: 110)
    var vague = incident()
    #expect(
      choice.ranked(cameras: [side], incidents: [vague], events: [], most: 1).first?.reasons.first?.code == "near")
    vague.uncertainty = 40
    #expect(
      choice.ranked(cameras: [side], incidents: [vague], events: [], most: 1).first?.reasons.first?.code == "sees")
  }

  @Test func theGraverIncidentWeighsMore() {
    let there = CameraChoice.Incident(
      id: "i2", place: CameraChoice.Place(longitude: gate.longitude, latitude: gate.latitude + 0.05), severity: 3,
      sounds: false)
    let other = Camera(id: "b", place: there.place, sinceLooked: 0)
    let ranked = choice.ranked(
      cameras: [camera("a"), other], incidents: [incident(0), there], events: [], most: 2)
    #expect(ranked.map(\.camera) == ["b", "a"])
  }

  @Test func freshEventsWeighMoreThanOldOnes() {
    let events = [
      CameraChoice.Event(camera: "a", rule: .intrusion, age: 120, lasts: false),
      CameraChoice.Event(camera: "b", rule: .intrusion, age: 5, lasts: false),
      CameraChoice.Event(camera: "c", rule: .intrusion, age: 5_000, lasts: false),
      CameraChoice.Event(camera: "d", rule: .intrusion, age: 120, lasts: true),
    ]
    let cameras = ["a", "b", "c", "d"].map { camera($0) }
    let ranked = choice.ranked(cameras: cameras, incidents: [], events: events, most: 10)
    #expect(ranked.map(\.camera) == ["d", "b", "a"])
    #expect(ranked.first?.reasons == [.event(rule: .intrusion, seconds: 120)])
  }

  @Test func aCameraWithoutAPictureIsNamedAfterThoseThatShowSomething() throws {
    let ranked = choice.ranked(
      cameras: [
        camera("dead", state: .lost(.silent)), camera("near", north: 120, bearing: 0), camera("idle", north: 5_000),
      ],
      incidents: [incident(3, cameras: ["dead"])], events: [], most: 10)
    #expect(ranked.map(\.camera) == ["near", "dead"])
    let dead = try #require(ranked.last)
    #expect(!dead.isShown && dead.reasons == [.reported(incident: "i1"), .state(code: "lost-silent")])
  }

  @Test func whatNobodyLookedAtForLongIsShownWhereNothingElseIs() {
    let ranked = choice.ranked(
      cameras: [camera("seen", sinceLooked: 60), camera("unseen", sinceLooked: 7_200)], incidents: [], events: [],
      most: 5)
    #expect(ranked.map(\.camera) == ["unseen"])
    #expect(ranked.first?.reasons == [.unwatched(minutes: 120)])
    #expect(choice.ranked(cameras: [camera("unseen", sinceLooked: 7_200)], incidents: [], events: [], most: 0).isEmpty)
  }

  @Test func theOrderDoesNotDependOnTheOrderOfTheInput() {
    let cameras = (0..<30).map { camera("c\($0)", north: Double($0 % 7) * 30, bearing: Double($0 * 37 % 360)) }
    let first = choice.ranked(cameras: cameras, incidents: [incident()], events: [], most: 30)
    #expect(first == choice.ranked(cameras: cameras.shuffled(), incidents: [incident()], events: [], most: 30))
  }
}
