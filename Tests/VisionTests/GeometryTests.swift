import Testing
import Vision

@Suite struct GeometryTests {
  @Test func overlapIsWhatIsSharedOfWhatIsCovered() {
    let box = Box(x: 0, y: 0, width: 10, height: 10)
    #expect(box.overlap(box) == 1)
    #expect(box.overlap(Box(x: 5, y: 0, width: 10, height: 10)) == 50.0 / 150)
    #expect(box.overlap(Box(x: 10, y: 0, width: 10, height: 10)) == 0)
    #expect(Box(x: 2, y: 2, width: 4, height: 4).share(in: box) == 1)
    #expect(box.share(in: Box(x: 2, y: 2, width: 4, height: 4)) == 0.16)
    #expect(Box(x: 1, y: 1, width: 0, height: 3).overlap(box) == 0)
  }

  @Test func aPolygonHasAnInside() {
    let ell = Polygon([(0, 0), (4, 0), (4, 1), (1, 1), (1, 4), (0, 4)].map { Point(x: $0.0, y: $0.1) })
    #expect(ell.contains(Point(x: 0.5, y: 3)))
    #expect(ell.contains(Point(x: 3, y: 0.5)))
    #expect(!ell.contains(Point(x: 3, y: 3)))
    #expect(!ell.contains(Point(x: -1, y: 0.5)))
    #expect(!Polygon([]).contains(Point(x: 0, y: 0)))
  }

  @Test func boxesAreCutToThePicture() {
    let size = PictureSize(width: 100, height: 50)
    #expect(Box(x: -10, y: 40, width: 20, height: 20).clipped(to: size) == Box(x: 0, y: 40, width: 10, height: 10))
    #expect(Box(x: 120, y: 0, width: 5, height: 5).clipped(to: size).isEmpty)
  }
}
