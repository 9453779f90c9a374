// Customers and their readings over HTTP, in the published way: memcached is filled from the whole database before the server
// listens, readings are answered from it, and what is missing there is read from the database and not written back. A cache
// that is slow or away is waited for as long as its client does.
package main

import (
	"database/sql"
	"encoding/json"
	"flag"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/go-sql-driver/mysql"
)

// Customer is who has a meter.
type Customer struct {
	ID        uint32 `json:"Id"`
	Surname   string
	Givenname string
}

// Measure is what the meter showed on a day.
type Measure struct {
	MeasureID    uint32
	MeasureDate  string
	MeasureValue uint32
}

// Readings are all of a customer.
type Readings struct {
	Measures []Measure
}

type server struct {
	database *sql.DB
	// In turns. The published server has one.
	caches []*memcache.Client
	next   *uint32
}

func (s server) cache() *memcache.Client {
	return s.caches[int(atomic.AddUint32(s.next, 1))%len(s.caches)]
}

func (s server) customer(id uint32) (any, error) {
	customer := Customer{}
	row := s.database.QueryRow("SELECT Customers_ID, Surname, Givenname FROM Customers WHERE Customers_ID = ?", id)
	err := row.Scan(&customer.ID, &customer.Surname, &customer.Givenname)
	return customer, err
}

func (s server) readings(id uint32) (any, error) {
	rows, err := s.database.Query("SELECT Measure_ID, Measure_Date, Value FROM Readings WHERE Customers_ID_FK = ?", id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	readings := Readings{}
	for rows.Next() {
		measure := Measure{}
		if err := rows.Scan(&measure.MeasureID, &measure.MeasureDate, &measure.MeasureValue); err != nil {
			return nil, err
		}
		readings.Measures = append(readings.Measures, measure)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if readings.Measures == nil {
		return nil, sql.ErrNoRows
	}
	return readings, nil
}

// fill puts every customer and all readings into the cache, with a query for each customer's readings.
func (s server) fill() error {
	rows, err := s.database.Query("SELECT Customers_ID, Surname, Givenname FROM Customers")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		customer := Customer{}
		if err := rows.Scan(&customer.ID, &customer.Surname, &customer.Givenname); err != nil {
			return err
		}
		if err := s.keep("customerData_id_", customer.ID, customer); err != nil {
			return err
		}
		readings, err := s.readings(customer.ID)
		if err == sql.ErrNoRows {
			continue
		}
		if err != nil {
			return err
		}
		if err := s.keep("customerReadings_id_", customer.ID, readings); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s server) keep(key string, id uint32, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return s.cache().Set(&memcache.Item{Key: key + strconv.FormatUint(uint64(id), 10), Value: text})
}

// answer is the handler of what comes from the cache under this key, if it has one, and from the database otherwise.
func (s server) answer(key string, find func(uint32) (any, error)) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		text := request.URL.Path[strings.LastIndexByte(request.URL.Path, '/')+1:]
		id, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			http.Error(response, "the id is no number", http.StatusBadRequest)
			return
		}
		response.Header().Set("Content-Type", "application/json")
		if key != "" {
			if item, err := s.cache().Get(key + strconv.FormatUint(id, 10)); err == nil {
				response.Write(item.Value)
				return
			}
		}
		found, err := find(uint32(id))
		if err == sql.ErrNoRows {
			http.NotFound(response, request)
			return
		}
		if err != nil {
			log.Print(err)
			http.Error(response, "the database failed", http.StatusInternalServerError)
			return
		}
		body, err := json.Marshal(found)
		if err != nil {
			log.Print(err)
			http.Error(response, "there is no JSON of it", http.StatusInternalServerError)
			return
		}
		response.Write(body)
	}
}

func main() {
	port := flag.Int("port", 10000, "the port of 127.0.0.1 to listen on")
	keepAlive := flag.Bool("keep-alive", true, "keep connections open; the published server does not")
	clients := flag.Int("cache-clients", 1, "how many clients of the cache take turns: each keeps two connections open, and opens more as it needs them")
	flag.Parse()

	settings := mysql.NewConfig()
	settings.Net = "tcp"
	settings.Addr = os.Getenv("DATABASE_HOST")
	settings.DBName = os.Getenv("DATABASE_NAME")
	settings.User = os.Getenv("DATABASE_USER")
	settings.Passwd = os.Getenv("DATABASE_PASSWORD")
	database, err := sql.Open("mysql", settings.FormatDSN())
	if err != nil {
		log.Fatal(err)
	}
	s := server{database: database, next: new(uint32)}
	for len(s.caches) < *clients {
		s.caches = append(s.caches, memcache.New(os.Getenv("CACHE_ADDRESS")))
	}
	if err := s.fill(); err != nil {
		log.Fatal(err)
	}

	// Customers are cached and still read from the database, as published.
	http.HandleFunc("/customer/", s.answer("", s.customer))
	http.HandleFunc("/customerdata/", s.answer("customerReadings_id_", s.readings))
	http.HandleFunc("/healthz", func(http.ResponseWriter, *http.Request) {})
	listening := http.Server{
		Addr:         net.JoinHostPort("127.0.0.1", strconv.Itoa(*port)),
		ReadTimeout:  5 * time.Second,
		WriteTimeout: 10 * time.Second,
	}
	listening.SetKeepAlivesEnabled(*keepAlive)
	log.Fatal(listening.ListenAndServe())
}
